"""The built-in competitions: drawn by code from a seed, so that every stage has data to work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.demo.finish import PRIVATE
from pipeline.demo.screens.competition import draw_screens
from pipeline.demo.turntable.competition import draw_turntable
from pipeline.errors import ConfigError, DataError
from pipeline.suggestions import did_you_mean

DEMOS: dict[str, Callable[[Path], None]] = {"turntable": draw_turntable, "screens": draw_screens}


def get_demo(name: str) -> Callable[[Path], None]:
    """The function that draws the demo of that name; ConfigError for an unknown one."""
    if name not in DEMOS:
        raise ConfigError(f"there is no demo {name!r}{did_you_mean(name, DEMOS)}")
    return DEMOS[name]


def private_masks(folder: Path) -> dict[str, Path]:
    """The test masks of a drawn demo by id: what the competition's private leaderboard knows.

    Masks are non-zero inside. Raises DataError when there are none.
    """
    found = {path.stem.removesuffix("_mask"): path for path in (folder / PRIVATE).glob("*.*")}
    if not found:
        raise DataError(f"{folder / PRIVATE}: no private test masks; is {folder} a drawn demo?")
    return dict(sorted(found.items()))
