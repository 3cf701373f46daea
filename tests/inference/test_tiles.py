from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.config.choices import TileWeights
from pipeline.errors import ConfigError
from pipeline.inference.tiles import Tile, TileMerger, plan_tiles, tile_weights

KINDS: list[TileWeights] = ["gaussian", "pyramid", "uniform"]
lengths = st.integers(1, 200)
tile_sides = st.integers(1, 64)
overlaps = st.one_of(st.floats(0, 0.99), st.integers(1, 63))


def coverage(size: tuple[int, int], tiles: tuple[Tile, ...]) -> np.ndarray:
    count = np.zeros(size, int)
    for tile in tiles:
        count[tile.area] += 1
    return count


def pixels(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3), np.float32)


def cut(image: np.ndarray, tile: Tile, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of a tile, mirrored at bottom and right to `shape` where it is smaller."""
    missing = (shape[0] - tile.height, shape[1] - tile.width)
    return np.pad(image[tile.area], ((0, missing[0]), (0, missing[1]), (0, 0)), mode="reflect")


def per_pixel(tile: np.ndarray) -> Tensor:
    """A model that looks at one pixel only: HWC -> 2HW in 0..1."""
    x = torch.from_numpy(np.ascontiguousarray(tile)).permute(2, 0, 1)
    return torch.stack([x[0] * x[1], (x[2] - x[0]).sigmoid()])


def tiled(image: np.ndarray, tile: tuple[int, int], overlap: float, kind: TileWeights) -> Tensor:
    size = image.shape[:2]
    tiles = plan_tiles(size, tile, overlap)
    merger: TileMerger[str] = TileMerger(tile_weights(tile, kind))
    merger.expect("a", size, tiles)
    results = [merger.add("a", each, per_pixel(cut(image, each, tile))) for each in tiles]
    assert all(result is None for result in results[:-1])
    assert results[-1] is not None
    return results[-1]


# --- the plan ----------------------------------------------------------------------------------


@given(lengths, lengths, tile_sides, tile_sides, overlaps)
def test_every_pixel_is_covered_by_tiles_inside_the_image(
    height: int, width: int, rows: int, columns: int, overlap: float
) -> None:
    if overlap >= min(rows, columns):
        return
    tiles = plan_tiles((height, width), (rows, columns), overlap)
    assert len(set(tiles)) == len(tiles)
    for tile in tiles:
        assert tile.top >= 0 and tile.top + tile.height <= height
        assert tile.left >= 0 and tile.left + tile.width <= width
        assert (tile.height, tile.width) == (min(rows, height), min(columns, width))
    assert coverage((height, width), tiles).min() >= 1


@given(st.integers(1, 500), tile_sides, overlaps)
def test_neighbours_share_the_overlap_evenly_and_no_tile_is_spare(
    length: int, side: int, overlap: float
) -> None:
    if overlap >= side:
        return
    shared = min(side - 1, round(overlap * side)) if overlap < 1 else int(overlap)
    starts = [tile.left for tile in plan_tiles((1, length), (side, side), overlap)]
    gaps = np.diff(starts)
    assert starts[0] == 0
    if len(starts) > 1:
        assert gaps.min() > 0 and gaps.max() <= side - shared and np.ptp(gaps) <= 1
        assert len(starts) == 2 or side + (len(starts) - 2) * (side - shared) < length


@pytest.mark.parametrize("size", [(5, 5), (1, 1), (8, 3), (8, 8)])
def test_image_no_larger_than_the_tile_is_one_tile(size: tuple[int, int]) -> None:
    assert plan_tiles(size, (8, 8), 0.5) == (Tile(0, 0, *size),)


@pytest.mark.parametrize("overlap", [-0.1, -3, 8, 9])
def test_impossible_overlap_is_refused(overlap: float) -> None:
    with pytest.raises(ConfigError, match=f"overlap {overlap}"):
        plan_tiles((100, 100), (8, 8), overlap)


# --- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [(1, 1), (1, 7), (8, 8), (31, 64), (512, 512)])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_positive_symmetric_and_highest_in_the_middle(
    kind: TileWeights, tile: tuple[int, int]
) -> None:
    weights = tile_weights(tile, kind)
    assert weights.dtype == torch.float32 and tuple(weights.shape) == tile
    assert weights.min() > 1e-8 and weights.max() <= 1
    assert torch.equal(weights, weights.flip(0)) and torch.equal(weights, weights.flip(1))
    assert weights[tile[0] // 2, tile[1] // 2] == weights.max()
    if kind != "uniform" and min(tile) > 2:
        middle = weights[tile[0] // 2, : tile[1] // 2]
        assert (middle.diff() > 0).all()


# --- the merge ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.9, 3])
@pytest.mark.parametrize("size", [(1, 1), (5, 90), (32, 32), (33, 71), (100, 64)])
def test_per_pixel_model_gives_the_whole_image_prediction(
    size: tuple[int, int], overlap: float, kind: TileWeights
) -> None:
    image = pixels(size)
    result = tiled(image, (32, 24), overlap, kind)
    assert result.dtype == torch.float32
    # At an overlap of 0.9 a hundred float32 terms meet in one pixel.
    tolerance = 1e-6 if overlap != 0.9 else 5e-6
    assert torch.allclose(result, per_pixel(image), rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_merge_equals_a_slow_weighted_mean_of_disagreeing_tiles(kind: TileWeights) -> None:
    size, tile = (37, 50), (16, 12)
    tiles = plan_tiles(size, tile, 0.5)
    maps = torch.rand(len(tiles), 2, *tile, generator=torch.Generator().manual_seed(0))
    merger: TileMerger[int] = TileMerger(tile_weights(tile, kind))
    merger.expect(0, size, tiles)
    *_, result = [merger.add(0, each, own) for each, own in zip(tiles, maps, strict=True)]
    weights = tile_weights(tile, kind).double().numpy()
    for y, x in itertools.product(range(size[0]), range(size[1])):
        votes, total = np.zeros(2), 0.0
        for each, own in zip(tiles, maps.double().numpy(), strict=True):
            row, column = y - each.top, x - each.left
            if 0 <= row < tile[0] and 0 <= column < tile[1]:
                votes += own[:, row, column] * weights[row, column]
                total += weights[row, column]
        assert np.allclose(result[:, y, x], votes / total, atol=1e-6)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 0.9), st.sampled_from(KINDS))
def test_constant_maps_stay_constant_and_in_range(
    height: int, width: int, overlap: float, kind: TileWeights
) -> None:
    tiles = plan_tiles((height, width), (16, 16), overlap)
    for value in (0.0, 0.3, 1.0):
        merger: TileMerger[int] = TileMerger(tile_weights((16, 16), kind))
        merger.expect(0, (height, width), tiles)
        *_, result = [merger.add(0, tile, torch.full((1, 16, 16), value)) for tile in tiles]
        assert result.shape == (1, height, width)
        assert result.max() <= 1 and torch.allclose(result, torch.tensor(value), atol=1e-6)


def test_tiles_of_several_images_share_batches_in_any_order() -> None:
    images = {name: pixels(size, seed) for seed, (name, size) in enumerate(
        {"a": (40, 70), "b": (9, 9), "c": (64, 20)}.items())}  # fmt: skip
    shape = (16, 16)
    merger: TileMerger[str] = TileMerger(tile_weights(shape, "gaussian"))
    jobs = []
    for name, image in images.items():
        tiles = plan_tiles(image.shape[:2], shape, 0.5)
        merger.expect(name, image.shape[:2], tiles)
        jobs += [(name, tile) for tile in tiles]
    random.Random(0).shuffle(jobs)
    finished = {}
    for start in range(0, len(jobs), 7):
        batch = jobs[start : start + 7]
        maps = torch.stack([per_pixel(cut(images[name], tile, shape)) for name, tile in batch])
        for (name, tile), own in zip(batch, maps, strict=True):
            result = merger.add(name, tile, own)
            if result is not None:
                finished[name] = result
    assert finished.keys() == images.keys()
    for name, image in images.items():
        assert torch.allclose(finished[name], per_pixel(image), atol=1e-6)


def test_sums_of_half_precision_maps_do_not_lose_or_overflow() -> None:
    """900 tiles over one pixel: float16 sums would stall at 2048 of 1/2048 steps."""
    tiles = plan_tiles((60, 60), (30, 30), 29)
    assert coverage((60, 60), tiles).max() == 900
    merger: TileMerger[int] = TileMerger(tile_weights((30, 30), "uniform"))
    merger.expect(0, (60, 60), tiles)
    maps = torch.full((1, 30, 30), 0.7, dtype=torch.float16)
    *_, result = [merger.add(0, tile, maps) for tile in tiles]
    assert torch.allclose(result, maps[0, 0, 0].float(), atol=1e-5)


def test_a_finished_image_is_forgotten_and_a_tile_counts_once() -> None:
    tiles = plan_tiles((20, 20), (16, 16), 0)
    merger: TileMerger[str] = TileMerger(tile_weights((16, 16), "uniform"))
    merger.expect("a", (20, 20), tiles)
    merger.add("a", tiles[0], torch.zeros(1, 16, 16))
    with pytest.raises(KeyError):
        merger.add("a", tiles[0], torch.zeros(1, 16, 16))
    for tile in tiles[1:]:
        merger.add("a", tile, torch.zeros(1, 16, 16))
    with pytest.raises(KeyError):
        merger.add("a", tiles[0], torch.zeros(1, 16, 16))
