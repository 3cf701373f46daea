from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.ground_truth import Truth
from pipeline.reports.overlay import CONFUSED, FALSE, MISSED, RIGHT, VOID, PixelOutcome, overlay

GRAY = 128


def flat(size: tuple[int, int]) -> np.ndarray:
    return np.full((*size, 3), GRAY, np.uint8)


def said(pixel: np.ndarray) -> PixelOutcome | None:
    """Which outcome the colour of a pixel of a flat gray image tells, however strong its tint."""
    difference = pixel.astype(float) - GRAY
    if not difference.any():
        return None
    painted = {o: np.array(o.colour, float) - GRAY for o in (RIGHT, FALSE, MISSED, CONFUSED)}
    best = max(painted, key=lambda o: cosine(difference, painted[o]))
    assert cosine(difference, painted[best]) > 0.995, "a mixture of two outcomes"
    return best


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def slow(truth: np.ndarray, decision: np.ndarray, counts: bool) -> PixelOutcome | None:
    """The outcome of one pixel, class by class."""
    if not counts:
        return None
    pairs = list(zip(truth, decision, strict=True))
    too_much, missed = (0, 1) in pairs, (1, 0) in pairs
    if too_much and missed:
        return CONFUSED
    if too_much or missed:
        return FALSE if too_much else MISSED
    return RIGHT if (1, 1) in pairs else None


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.integers(0, 9999))
def test_every_pixel_tells_its_outcome(
    classes: int, rows: int, columns: int, void: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Blocks have an inside, which is tinted, and a border, which is outlined.
    block = np.ones((3, 3), bool)
    planes = np.kron(rng.random((classes, rows, columns)) < 0.4, block).astype(np.uint8)
    decision = np.kron(rng.random((classes, rows, columns)) < 0.4, block)
    valid = np.kron(rng.random((rows, columns)) < 0.8, block) if void else None
    height, width = 3 * rows, 3 * columns
    picture = overlay(flat((height, width)), Truth(planes, valid), decision)
    assert picture.dtype == np.uint8 and picture.shape == (height, width, 3)
    for y, x in itertools.product(range(height), range(width)):
        counts = valid is None or bool(valid[y, x])
        told = said(picture[y, x])
        assert told == slow(planes[:, y, x], decision[:, y, x].astype(int), counts), (y, x)


def test_void_is_hatched() -> None:
    valid = np.ones((40, 40), bool)
    valid[:, 20:] = False
    black = np.zeros((40, 40, 3), np.uint8)
    empty = np.zeros((1, 40, 40))
    picture = overlay(black, Truth(empty.astype(np.uint8), valid), empty.astype(bool))
    assert not picture[:, :20].any()
    hatched = picture[:, 20:].any(axis=2)
    assert 0.4 < hatched.mean() < 0.6
    assert {tuple(p) for p in picture[picture.any(axis=2)].tolist()} == {
        (VOID.colour[0] // 2, VOID.colour[1] // 2, VOID.colour[2] // 2)
    }


def test_inputs_are_left_alone_and_the_picture_shows_through() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    kept = image.copy()
    planes = np.zeros((1, 30, 30), np.uint8)
    planes[:, 5:25, 5:25] = 1
    picture = overlay(image, Truth(planes), planes.astype(bool))
    assert np.array_equal(image, kept)
    inside, before = picture[8:20, 8:20].astype(float), kept[8:20, 8:20].astype(float)
    assert np.corrcoef(inside.mean(2).ravel(), before.mean(2).ravel())[0, 1] > 0.9


def test_outlines_survive_shrinking_a_large_picture() -> None:
    planes = np.zeros((1, 1280, 1918), np.uint8)
    planes[:, 400:800, 400:1200] = 1
    picture = overlay(flat((1280, 1918)), Truth(planes), planes.astype(bool))
    solid = (picture[600, 380:420] == RIGHT.colour).all(axis=1).sum()
    assert solid >= 3


@pytest.mark.parametrize("size", [(10, 11), (11, 10)])
def test_other_shapes_are_refused(size: tuple[int, int]) -> None:
    truth = Truth(np.zeros((1, 10, 10), np.uint8))
    with pytest.raises(AssertionError):
        overlay(flat((10, 10)), truth, np.zeros((1, *size), bool))
    with pytest.raises(AssertionError):
        overlay(flat(size), truth, np.zeros((1, 10, 10), bool))
