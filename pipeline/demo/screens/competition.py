"""The second demo: dirt on photographs of screens, each with a clean and larger reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.demo.finish import PRIVATE, finish, write_table
from pipeline.demo.screens.interface import draw_interface
from pipeline.demo.screens.photo import Matrix, draw_warp, take_photo
from pipeline.errors import ConfigError

_VERSION = 1  # counts up when the same seed draws other pictures
_TRAIN, _TEST, _ORDER = 0, 1, 2  # independent random streams
_WARP_HEADER = ("id", "part", *(f"w{row}{column}" for row in range(3) for column in range(3)))


@dataclass(frozen=True)
class ScreensSize:
    """How much is drawn; photo, reference: H, W of a photograph and of its clean reference."""

    seed: int
    train_screens: int
    test_screens: int
    shots: int
    photo: tuple[int, int]
    reference: tuple[int, int]


SCREENS = ScreensSize(
    seed=2018, train_screens=20, test_screens=10, shots=4, photo=(192, 192), reference=(248, 248)
)


@dataclass(frozen=True)
class Shot:
    """image, reference: uint8 HxWx3 RGB; mask: bool HxW, the dirt; warp: see draw_warp."""

    id: str
    screen: str
    image: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    warp: Matrix


def draw_screens(
    folder: Path,
    *,
    seed: int = SCREENS.seed,
    train_screens: int = SCREENS.train_screens,
    test_screens: int = SCREENS.test_screens,
    shots: int = SCREENS.shots,
    photo: tuple[int, int] = SCREENS.photo,
    reference: tuple[int, int] = SCREENS.reference,
) -> None:
    """Draw the whole competition into `folder`, or leave it alone when it is there.

    `train/<id>.png`, `train_refs/`, `train_masks/` (0/255), `test/`, `test_refs/`, `groups.csv`
    (`id,group` of the train part), `sample_submission.csv` (`id,rle_mask`), `true_warps.csv` of
    both parts, and the test masks in `private/`. Raises DataError when `folder` holds something
    else, ConfigError when the reference does not leave a margin around the photograph.
    """
    plan = ScreensSize(seed, train_screens, test_screens, shots, photo, reference)
    if min(reference[0] - photo[0], reference[1] - photo[1]) < max(photo) // 10:
        raise ConfigError(f"reference {reference} must be larger than photo {photo} by a tenth")
    parameters = {"demo": "screens", "version": _VERSION, **asdict(plan)}
    parameters |= {"photo": list(photo), "reference": list(reference)}
    finish(folder, parameters, lambda empty: _draw(empty, plan))


def shots(plan: ScreensSize, part: int, screen_number: int) -> Iterator[Shot]:
    """All photographs of one screen; dead pixels stay, dust comes and goes."""
    rng = np.random.default_rng([plan.seed, part, screen_number, 0])
    screen = f"screen{rng.bytes(3).hex()}"
    reference = draw_interface(plan.reference, rng)
    dead = _draw_dead_pixels(plan.reference, rng)
    for number in range(1, plan.shots + 1):
        rng = np.random.default_rng([plan.seed, part, screen_number, number])
        name = rng.bytes(4).hex()
        warp = draw_warp(plan.photo, plan.reference, rng)
        image, mask = take_photo(reference, warp, dead, plan.photo, rng)
        yield Shot(name, screen, image, reference, mask, warp)


def _draw_dead_pixels(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Nx5: x, y on the reference, then black, white or one pure colour; most screens have none."""
    count = int(rng.choice([0, 0, 1, 2]))
    places = rng.uniform(0.15, 0.85, (count, 2)) * np.array(size[::-1])
    tones = rng.integers(0, 2, (count, 3)).astype(np.float64)
    return np.concatenate([places, tones], axis=1)


def _draw(folder: Path, plan: ScreensSize) -> None:
    for name in ("train", "train_refs", "train_masks", "test", "test_refs", PRIVATE):
        (folder / name).mkdir()
    train = list(_draw_part(folder, plan, _TRAIN, plan.train_screens))
    test = list(_draw_part(folder, plan, _TEST, plan.test_screens))
    write_table(folder / "groups.csv", ("id", "group"), sorted((s.id, s.screen) for s in train))
    order = np.random.default_rng([plan.seed, _ORDER]).permutation(len(test))
    rows = [(test[i].id, "1 1") for i in order]
    write_table(folder / "sample_submission.csv", ("id", "rle_mask"), rows)
    warps = [
        (s.id, part, *s.warp.ravel()) for part, of in (("train", train), ("test", test)) for s in of
    ]
    write_table(folder / "true_warps.csv", _WARP_HEADER, warps)


def _draw_part(folder: Path, plan: ScreensSize, part: int, screens: int) -> Iterator[Shot]:
    """Write the photographs, references and masks of one part."""
    name = "train" if part == _TRAIN else "test"
    masks = folder / ("train_masks" if part == _TRAIN else PRIVATE)
    for screen_number in range(screens):
        for shot in shots(plan, part, screen_number):
            file = f"{shot.id}.png"
            Image.fromarray(shot.image).save(folder / name / file)
            Image.fromarray(shot.reference).save(folder / f"{name}_refs" / file)
            Image.fromarray(shot.mask.astype(np.uint8) * 255).save(masks / file)
            yield shot
