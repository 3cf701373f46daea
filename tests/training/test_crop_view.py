"""Random views: every choice as often as it should be, and none that depends on another."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from pipeline.config import AugmentConfig
from pipeline.training.augmentation import Augmenter

ALL_FLIPS = ("horizontal", "vertical", "transpose")
SUSPICIOUS = 1e-4  # the seeds are fixed, so a test passes always or never


@dataclass(frozen=True)
class Seen:
    """What one view shows of an image whose planes hold their own row and column."""

    transposed: bool
    vertical: bool
    horizontal: bool
    moved: bool
    coloured: bool
    row: float
    column: float


def _views(
    size: tuple[int, int], shape: tuple[int, int], count: int, **settings: object
) -> list[Seen]:
    augment = Augmenter(size, AugmentConfig.model_validate({"flips": ALL_FLIPS, **settings}))
    planes = np.indices(shape).astype(np.uint8)
    image = np.full((*shape, 3), 120, np.uint8)
    return [_seen(*augment(image, planes, None, [1, 0, position])[:2]) for position in range(count)]


def _seen(image: np.ndarray, planes: np.ndarray) -> Seen:
    rows, columns = planes.astype(float)
    transposed = abs(np.diff(rows, axis=1).mean()) > abs(np.diff(rows, axis=0).mean())
    along_rows, along_columns = (columns, rows) if transposed else (rows, columns)
    row_step, column_step = (
        np.diff(along_rows, axis=0).mean(),
        np.diff(along_columns, axis=1).mean(),
    )
    straight = {
        (abs(np.diff(plane, axis=axis)) == expected).all()
        for plane, axis, expected in ((rows, 0, not transposed), (rows, 1, transposed))
    }
    return Seen(
        transposed,
        row_step < 0,
        column_step < 0,
        straight != {True},
        bool((image != 120).any()),
        rows.mean(),
        columns.mean(),
    )


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_all_eight_symmetries_occur_equally_often(size: tuple[int, int]) -> None:
    views = _views(size, (60, 60), 4000, affine=0, colour=0)
    counts = np.zeros((2, 2, 2))
    for view in views:
        counts[int(view.transposed), int(view.vertical), int(view.horizontal)] += 1
    assert chisquare(counts.ravel()).pvalue > SUSPICIOUS, counts


@pytest.mark.parametrize("flips", [(), ("horizontal",), ("vertical", "transpose")])
def test_only_the_symmetries_that_were_asked_for_occur(flips: tuple[str, ...]) -> None:
    views = _views((32, 32), (60, 60), 200, affine=0, colour=0, flips=flips)
    seen = {
        "transpose": {view.transposed for view in views},
        "vertical": {view.vertical for view in views},
        "horizontal": {view.horizontal for view in views},
    }
    assert seen == {name: {False, True} if name in flips else {False} for name in ALL_FLIPS}


def test_no_random_choice_depends_on_another() -> None:
    views = _views((32, 32), (60, 60), 4000, affine=0.5, colour=0.5, rotate=10, scale=0.15)
    middle = np.median([[view.row, view.column] for view in views], axis=0)
    choices = {
        name: np.array([getattr(view, name) for view in views])
        for name in ("transposed", "vertical", "horizontal", "moved", "coloured")
    }
    choices["low"] = np.array([view.row > middle[0] for view in views])
    choices["right"] = np.array([view.column > middle[1] for view in views])
    for name in ("transposed", "vertical", "horizontal", "moved", "coloured"):
        assert 0.45 < choices[name].mean() < 0.55, name
    for one, other in itertools.combinations(choices, 2):
        table = [
            [np.sum((choices[one] == a) & (choices[other] == b)) for b in (0, 1)] for a in (0, 1)
        ]
        assert chi2_contingency(table).pvalue > SUSPICIOUS, (one, other, table)


def test_crops_are_taken_from_everywhere_alike() -> None:
    views = _views((32, 32), (60, 60), 4000, affine=0, colour=0)
    for coordinate in ("row", "column"):
        offsets = np.round([getattr(view, coordinate) - 15.5 for view in views]).astype(int)
        assert set(offsets) == set(range(29))
        assert chisquare(np.bincount(offsets)).pvalue > SUSPICIOUS


@pytest.mark.parametrize("rotate", [10, 45, 180])
@pytest.mark.parametrize("size", [(40, 40), (24, 56)])
def test_inside_the_image_no_pixel_is_mirrored(rotate: float, size: tuple[int, int]) -> None:
    augment = Augmenter(size, AugmentConfig(affine=1, rotate=rotate, colour=0, flips=ALL_FLIPS))
    planes = np.indices((240, 240)).astype(np.uint8)
    inside = 0
    for position in range(300):
        moved = augment(np.zeros((240, 240, 3), np.uint8), planes, None, [2, 0, position]).planes
        at = np.c_[np.indices(size).reshape(2, -1).T, np.ones(size[0] * size[1])]
        plane = moved.reshape(2, -1).T.astype(float)
        fit, *_ = np.linalg.lstsq(at, plane, rcond=None)
        if plane.min() > 1 and plane.max() < 238:
            inside += 1
            assert np.abs(at @ fit - plane).max() < 1.1
    assert inside > 100


def test_the_crop_is_exact_where_nothing_turns() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    augment = Augmenter((50, 70), AugmentConfig(affine=0, colour=0, flips=()))
    planes, valid = image.transpose(2, 0, 1).copy(), image[..., 0] > 99
    seen, moved, counted, *_ = augment(image, planes, valid, [0])
    assert (seen == image).all() and (moved == planes).all() and (counted == valid).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 90)])
def test_images_smaller_than_the_crop_are_centred_and_reflected(shape: tuple[int, int]) -> None:
    planes = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(1, *shape)
    augment = Augmenter((16, 24), AugmentConfig(affine=0, colour=0, flips=()))
    moved = augment(np.zeros((*shape, 3), np.uint8), planes, None, [0]).planes
    above, left = (16 - shape[0]) // 2, max(0, (24 - shape[1]) // 2)
    pads = [(above, 16 - shape[0] - above), (left, max(0, 24 - shape[1] - left))]
    mode = "reflect" if min(shape) > 1 else "edge"
    expected = np.pad(planes[0], pads, mode=mode)
    if shape[1] <= 24:
        assert (moved[0] == expected).all()
    else:
        assert any((moved[0] == expected[:, start : start + 24]).all() for start in range(67))
