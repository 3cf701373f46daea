"""What every format of submissions does: it says what is asked for, and writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from pipeline.config import SubmissionConfig
from pipeline.ensemble.recipe import BlendInput, Recipe
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.rows import Row


@dataclass(frozen=True)
class TestDecisions:
    """What is to be sent: of any test image its maps, the recipe that decides, and its size."""

    recipe: Recipe
    read: Callable[[str], BlendInput]
    size_of: Callable[[str], Size]
    """Of the image itself."""


@dataclass(frozen=True)
class Written:
    """What is in a finished submission."""

    rows: int
    uniform: Mapping[int, str]
    """Classes, by position, that are "empty" or "everywhere" on every test image."""


class SubmissionFormat(Protocol):
    """A submission before it is written."""

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, root: Path, ids: Sequence[str], classes: Sequence[str]
    ) -> Self:
        """What the competition asks for. root: where the sample file is; ids: the test images.

        DataError when what is asked for is not the test images.
        """
        ...

    @property
    def rows(self) -> Sequence[Row]:
        """What is asked for, in order."""
        ...

    def write(self, path: Path, decisions: TestDecisions, advance: Advance) -> Written:
        """Write the file whole and checked, or not at all; `advance` by image.

        DataError when what is written would not be read as what was meant.
        """
        ...
