"""Borders: shifts, scales and dilations that are known must be measured."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.boundaries import Border, BorderFit, border_distances, fit_borders, signed_level
from pipeline.boundaries.motion import explained
from pipeline.maps.quantise import dequantise, quantise

Move = tuple[float, float, float, float]
NONE: Move = (0.0, 0.0, 1.0, 0.0)
SIZE = (160, 200)


def _shape(seed: int, small: bool) -> np.ndarray:
    """x, y, radius, elongation of a few blobs."""
    random = np.random.default_rng(seed)
    count = 12 if small else 4
    radius = random.uniform(3, 8, count) if small else random.uniform(15, 35, count)
    return np.column_stack(
        [random.uniform(15, SIZE[1] - 15, count), random.uniform(15, SIZE[0] - 15, count), radius]
    )


def _signed_distance(discs: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Negative inside any of the discs."""
    each = [np.hypot(x - disc[0], y - disc[1]) - disc[2] for disc in discs]
    return np.min(each, axis=0)


def _pair(seed: int, move: Move, softness: float, small: bool) -> tuple[np.ndarray, np.ndarray]:
    """The mask of some discs, and the map of the same discs, shifted, scaled and dilated."""
    dx, dy, scale, dilation = move
    discs = _shape(seed, small)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    middle_x, middle_y = (SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2
    mask = _signed_distance(discs, x, y) < 0
    there_x, there_y = (x - dx - middle_x) / scale, (y - dy - middle_y) / scale
    distance = _signed_distance(discs, there_x + middle_x, there_y + middle_y) * scale - dilation
    probabilities = 1 / (1 + np.exp(np.clip(distance / softness, -50, 50)))
    return mask, dequantise(quantise(probabilities[None].astype(np.float32), "uint8"))


def _measured(
    move: Move, softness: float = 0.5, small: bool = False, threshold: float = 0.5, images: int = 12
) -> BorderFit:
    borders: list[Border] = []
    for seed in range(images):
        mask, maps = _pair(seed, move, softness, small)
        borders.append(border_distances(mask, signed_level(maps, [threshold], False)[0]))
    fitted = fit_borders(borders)
    assert fitted is not None
    return fitted


MOVES: dict[str, Move] = {
    "nothing": NONE,
    "shifted": (0.3, -1.2, 1.0, 0.0),
    "dilated": (0.0, 0.0, 1.0, 0.5),
    "eroded": (0.0, 0.0, 1.0, -0.7),
    "scaled": (0.0, 0.0, 1.01, 0.0),
    "all": (0.3, -1.2, 1.01, 0.5),
    "far": (-2.5, 2.0, 0.99, 0.2),
}


@pytest.mark.parametrize("softness", [0.15, 0.5, 1.5])
@pytest.mark.parametrize("name", MOVES)
def test_what_was_done_to_the_borders_is_found(name: str, softness: float) -> None:
    fitted, move = _measured(MOVES[name], softness), MOVES[name]
    assert fitted.dx == pytest.approx(move[0], abs=0.1)
    assert fitted.dy == pytest.approx(move[1], abs=0.1)
    assert fitted.scale == pytest.approx(move[2], abs=0.001)
    assert fitted.dilation == pytest.approx(move[3], abs=0.1)
    assert fitted.matched > 0.97


@pytest.mark.parametrize("name", ["nothing", "shifted", "dilated"])
def test_small_things_are_measured_too(name: str) -> None:
    fitted, move = _measured(MOVES[name], small=True, images=20), MOVES[name]
    assert np.abs([fitted.dx - move[0], fitted.dy - move[1]]).max() < 0.15
    assert fitted.dilation == pytest.approx(move[3], abs=0.15)


def test_directions_have_their_signs() -> None:
    fitted = _measured((1.0, -0.5, 1.0, 0.0))
    assert fitted.right == pytest.approx(-fitted.left, abs=0.1) and fitted.right > 0.7
    assert fitted.up == pytest.approx(-fitted.down, abs=0.1) and fitted.up > 0.3
    assert abs(fitted.mean) < 0.05


@pytest.mark.parametrize(("threshold", "distance"), [(0.2, 1.386), (0.8, -1.386)])
def test_the_threshold_moves_the_border(threshold: float, distance: float) -> None:
    fitted = _measured(NONE, softness=1.0, threshold=threshold)
    assert fitted.mean == pytest.approx(distance, abs=0.05)
    assert fitted.dilation == pytest.approx(distance, abs=0.05)


def test_pieces_that_are_missed_or_too_much_do_not_count() -> None:
    borders = []
    for seed in range(8):
        mask, maps = _pair(seed, MOVES["shifted"], 0.5, small=False)
        maps[0, :40, :60] = 0.0
        maps[0, 120:140, 10:30] = 1.0
        borders.append(border_distances(mask, signed_level(maps, [0.5], False)[0]))
    fitted = fit_borders(borders)
    assert fitted is not None and fitted.matched < 0.99
    assert fitted.dx == pytest.approx(0.3, abs=0.1) and fitted.dy == pytest.approx(-1.2, abs=0.1)


def test_errors_tell_noise_from_offsets() -> None:
    random = np.random.default_rng(0)
    shifts = random.normal(0, 0.5, (40, 2))
    borders = []
    for seed, (dx, dy) in enumerate(shifts):
        mask, maps = _pair(seed, (dx, dy, 1.0, 0.0), 0.5, small=False)
        borders.append(border_distances(mask, signed_level(maps, [0.5], False)[0]))
    fitted = fit_borders(borders)
    assert fitted is not None
    assert 0.04 < fitted.errors["dx"] < 0.16
    assert abs(fitted.dx) < 4 * fitted.errors["dx"]


@pytest.mark.parametrize(("images", "known"), [(4, False), (5, True)])
def test_few_images_leave_errors_unknown(images: int, known: bool) -> None:
    borders = []
    for seed in range(images):
        mask, maps = _pair(seed, (0.3, 0.0, 1.0, 0.0), 0.5, small=False)
        borders.append(border_distances(mask, signed_level(maps, [0.5], False)[0]))
    fitted = fit_borders(borders)
    assert fitted is not None
    assert [np.isfinite(error) for error in fitted.errors.values()] == [known] * 5


def test_what_a_cause_explains_is_what_a_fit_without_it_lacks() -> None:
    random = np.random.default_rng(1)
    design, lengths = random.normal(size=(50, 4)), random.uniform(0.5, 1, 50)
    distances = design @ [0.5, 0.0, -1.0, 0.2] + random.normal(0, 0.3, 50)

    def left(columns: list[int]) -> float:
        roots = np.sqrt(lengths)[:, None]
        found = np.linalg.lstsq(design[:, columns] * roots, distances * roots[:, 0], rcond=None)[0]
        return float(lengths @ (distances - design[:, columns] @ found) ** 2)

    columns = [0, 1, 2, 3]
    lacks = [left([c for c in columns if c != out]) - left(columns) for out in columns]
    whole = np.linalg.lstsq(
        design * np.sqrt(lengths)[:, None], distances * np.sqrt(lengths), rcond=None
    )[0]
    found = explained(design, distances, lengths, whole)
    np.testing.assert_allclose(found, np.array(lacks) / (lengths @ distances**2), rtol=1e-6)


def test_no_border_where_the_image_ends_or_nothing_counts() -> None:
    mask = np.zeros((40, 50), bool)
    mask[:20] = True
    level = np.where(mask, 1.0, -1.0).astype(np.float32)
    border = border_distances(mask, level)
    assert len(border.lengths) == 50 and border.lengths.sum() == pytest.approx(50)
    np.testing.assert_allclose(border.normals, [[0, 1]] * 50, atol=1e-6)
    np.testing.assert_allclose(border.distances, 0, atol=1e-9)
    valid = np.ones_like(mask)
    valid[:, :30] = False
    assert len(border_distances(mask, level, valid).lengths) == 20


@pytest.mark.parametrize("mask", [np.zeros((20, 20), bool), np.ones((20, 20), bool)])
def test_without_borders_there_is_nothing_to_say(mask: np.ndarray) -> None:
    border = border_distances(mask, np.ones((20, 20), np.float32))
    assert fit_borders([border]) is None and fit_borders([]) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("multiclass", [False, True])
def test_levels_are_not_negative_where_a_class_is_decided(seed: int, multiclass: bool) -> None:
    from pipeline.ensemble.blending.kernel import decide

    random = np.random.default_rng(seed)
    maps = random.random((3, 30, 40)).astype(np.float32)
    maps = maps / maps.sum(axis=0) if multiclass else maps
    thresholds = [0.3, 0.5, 0.6]
    level = signed_level(dequantise(quantise(maps, "uint8")), thresholds, multiclass)
    decided = decide([quantise(maps, "uint8")], [1.0], thresholds, multiclass=multiclass)
    assert np.mean((level >= 0) != decided) < 0.005
