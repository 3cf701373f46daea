"""The rule of drawing, against a slow reference, and against pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from pipeline.data.masks.annotations.drawing import draw_ellipse, draw_rings
from pipeline.data.masks.annotations.regions import Pixels
from tests.helpers.polygons import slow_polygon, star

SIZE = (23, 31)


def drawn(rings: list[np.ndarray], size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    window = draw_rings(rings, size)
    mask[window.place] = window.inside
    return mask


POINT = st.tuples(
    st.floats(-15, 50, allow_nan=False) | st.integers(-60, 200).map(lambda each: each / 2),
    st.floats(-15, 40, allow_nan=False) | st.integers(-60, 160).map(lambda each: each / 2),
)
RINGS = st.lists(st.lists(POINT, min_size=3, max_size=9), min_size=1, max_size=3)


@settings(deadline=None, max_examples=25)
@given(RINGS)
def test_a_pixel_is_inside_where_its_centre_is(points: list[list[tuple[float, float]]]) -> None:
    """Crossings, holes, points outside and outlines through centres: the even-odd rule."""
    rings = [np.array(ring, float) for ring in points]
    assert np.array_equal(drawn(rings), slow_polygon(rings, SIZE))


@settings(deadline=None, max_examples=40)
@given(RINGS)
def test_the_way_round_does_not_matter(points: list[list[tuple[float, float]]]) -> None:
    rings = [np.array(ring, float) for ring in points]
    assert np.array_equal(drawn(rings), drawn([ring[::-1] for ring in rings]))


@settings(deadline=None, max_examples=40)
@given(st.lists(POINT, min_size=3, max_size=3, unique=True), st.integers(0, 10**6))
def test_regions_that_share_an_outline_share_no_pixel(
    corners: list[tuple[float, float]], seed: int
) -> None:
    """A triangle cut into three at a point inside it."""
    triangle = np.array(corners)
    sides = triangle[1:] - triangle[0]
    assume(abs(np.linalg.det(sides)) > 1)  # points on one line may round to either side of it
    middle = np.random.default_rng(seed).dirichlet([1, 1, 1]) @ triangle
    parts = [drawn([np.array([triangle[i], triangle[i - 1], middle])]) for i in range(3)]
    assert np.sum(parts, axis=0).max(initial=0) <= 1
    assert np.array_equal(np.any(parts, axis=0), drawn([triangle]))


def test_whole_pixels_are_whole_and_a_hole_is_left_out() -> None:
    box = np.array([[2, 1], [8, 1], [8, 6], [2, 6]], float)
    hole = np.array([[4, 2], [6, 2], [6, 4], [4, 4]], float)
    expected = np.zeros(SIZE, bool)
    expected[1:6, 2:8] = True
    assert np.array_equal(drawn([box]), expected)
    expected[2:4, 4:6] = False
    assert np.array_equal(drawn([box, hole]), expected)
    assert drawn([np.array([[-9, -9], [99, -9], [99, 99], [-9, 99]], float)]).all()


def test_a_shape_that_crosses_itself_is_hollow_where_it_winds_twice() -> None:
    turns = np.arange(5) * 4 * np.pi / 5
    pentagram = np.stack([15 + 11 * np.cos(turns), 11.5 + 11 * np.sin(turns)], axis=1)
    mask = drawn([pentagram])
    assert not mask[11, 15] and mask.sum() > 50


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("seed", range(6))
def test_pycocotools_differs_along_the_outline_only(seed: int) -> None:
    """It draws outlines on a grid five times as fine, and rounds. docs/masks.md states the bounds;
    400 shapes had 0.18, 0.11 and 0.987.
    """
    size = (120, 160)
    points = star(np.random.default_rng(seed), size)
    ours = drawn([points], size)
    theirs = coco.decode(coco.frPyObjects([points.ravel().tolist()], *size))[..., 0].astype(bool)
    rows, columns = np.nonzero(ours != theirs)
    far = distances(np.stack([columns + 0.5, rows + 0.5], axis=1), points)
    outline = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum()
    assert far.max(initial=0) < 0.2
    assert len(rows) < 0.15 * outline
    assert (ours & theirs).sum() > 0.98 * (ours | theirs).sum()


def distances(centres: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Of each centre from the outline."""
    start, way = ring, np.roll(ring, -1, axis=0) - ring
    offset = centres[:, None] - start[None]
    share = ((offset * way).sum(-1) / (way**2).sum(-1)).clip(0, 1)
    return np.linalg.norm(offset - share[..., None] * way, axis=-1).min(axis=1)


def test_an_ellipse_is_its_equation() -> None:
    window = draw_ellipse((12.3, 9.1), (8, 4), 0.6, SIZE)
    mask = np.zeros(SIZE, bool)
    mask[window.place] = window.inside
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    along = (columns - 12.3) * np.cos(0.6) + (rows - 9.1) * np.sin(0.6)
    across = (rows - 9.1) * np.cos(0.6) - (columns - 12.3) * np.sin(0.6)
    assert np.array_equal(mask, (along / 8) ** 2 + (across / 4) ** 2 <= 1)
    for centre in [(-20.0, 5.0), (5.0, -20.0), (90.0, 5.0), (5.0, 90.0)]:
        assert not draw_ellipse(centre, (8, 4), 0, SIZE).inside.any()


@pytest.mark.parametrize("place", [(0, 0), (-2, 3), (20, 29), (-9, 0), (40, 40), (5, -30)])
def test_painted_pixels_are_cut_at_the_border(place: tuple[int, int]) -> None:
    painted = Pixels(np.ones((5, 7), bool), *place)
    window = painted.draw(SIZE)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] - np.array(place)[:, None, None]
    expected = (rows >= 0) & (rows < 5) & (columns >= 0) & (columns < 7)
    mask = np.zeros(SIZE, bool)
    mask[window.place] = window.inside
    assert np.array_equal(mask, expected)
    assert painted.beyond(SIZE) == (not expected.any())
