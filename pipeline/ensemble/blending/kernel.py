"""From M quantised maps to one blended map, to decisions, or straight to run lengths.

Maps are CHW uint8, uint16 or float16 of one shape, or their sum if it was taken before (with these
weights); weights (M,) need not sum to one; thresholds (C,) are probabilities. `threads` is for one
image: a caller with a thread an image passes 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config.choices import RleOrder
from pipeline.ensemble.blending.fixed_point import ONE, exclusive_scales, limit, top
from pipeline.ensemble.blending.means import ARITHMETIC, Mean
from pipeline.ensemble.blending.run_edges import EdgeBlock, runs_from_edges
from pipeline.ensemble.blending.stream import (
    BlendSource,
    PixelBlock,
    StoredMaps,
    SummedMaps,
    Sums,
    WeightedMaps,
    stream,
)
from pipeline.errors import ConfigError

Rule = Callable[[PixelBlock, NDArray[np.bool_]], None]


def blend(
    maps: StoredMaps | SummedMaps,
    weights: Sequence[float],
    mean: Mean = ARITHMETIC,
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The weighted mean, CHW float32 in 0..1; in `out` if given."""
    source = _source(maps, weights, mean)
    blended = np.empty(source.shape, np.float32) if out is None else out
    flat = blended.reshape(source.shape[0], -1)
    factor = np.float32(1 / (top(source.scale) * ONE))

    def keep(block: PixelBlock) -> None:
        part = flat[:, block.part]
        np.multiply(block.sums(), factor, out=part, dtype=np.float32, casting="unsafe")
        if mean.name in ("geometric", "logit"):
            part[:] = mean.from_scale(part)

    stream(source, keep, threads)
    return blended


def decide(
    maps: StoredMaps | SummedMaps,
    weights: Sequence[float],
    thresholds: Sequence[float],
    *,
    multiclass: bool = False,
    mean: Mean = ARITHMETIC,
    threads: int | None = None,
) -> NDArray[np.bool_]:
    """The decisions, bool CHW: blended probability >= the threshold (C,) of its class.

    multiclass: the class with the largest probability / threshold instead; of equals, the first.
    """
    source = _source(maps, weights, mean)
    decided = np.empty(source.shape, np.bool_)
    flat = decided.reshape(source.shape[0], -1)
    rule = _decision_rule(source, thresholds, multiclass, mean)
    stream(source, lambda block: rule(block, flat[:, block.part]), threads)
    return decided


def decide_runs(
    maps: StoredMaps | SummedMaps,
    weights: Sequence[float],
    thresholds: Sequence[float],
    order: RleOrder,
    *,
    multiclass: bool = False,
    mean: Mean = ARITHMETIC,
    threads: int | None = None,
) -> list[NDArray[np.int64]]:
    """The decisions of `decide` as runs (start from 0, length), int64 (R, 2) a class.

    No mask is built: blocks of rows leave only where the decision changes.
    """
    source = _source(maps, weights, mean)
    classes, height, width = source.shape
    # In row order the image is one column of height * width pixels.
    lines = (height, width) if order == "column" else (height * width, 1)
    rule = _decision_rule(source, thresholds, multiclass, mean)
    blocks: list[list[EdgeBlock]] = []

    def keep(block: PixelBlock) -> None:
        decided = np.empty(block.buffer.shape, np.bool_)
        rule(block, decided)
        first = block.part.start // lines[1]
        blocks.append([EdgeBlock.of(plane.reshape(-1, lines[1]), first) for plane in decided])

    stream(source, keep, threads, align=lines[1])
    return [runs_from_edges([block[plane] for block in blocks], *lines) for plane in range(classes)]


def _source(maps: StoredMaps | SummedMaps, weights: Sequence[float], mean: Mean) -> BlendSource:
    return maps if isinstance(maps, SummedMaps) else WeightedMaps(maps, weights, mean)


def _decision_rule(
    source: BlendSource, thresholds: Sequence[float], multiclass: bool, mean: Mean
) -> Rule:
    """A function that fills a bool (C, P) with what a block decides."""
    if len(thresholds) != source.shape[0]:
        raise ConfigError(
            f"ensemble.threshold: {len(thresholds)} thresholds for {source.shape[0]} classes"
        )
    if multiclass:
        scales = exclusive_scales(thresholds)
        return lambda block, out: _largest(block.sums(), scales, out)
    limits = [limit(mean.to_scale(threshold), source.scale) for threshold in thresholds]
    return lambda block, out: block.reaches(limits, out)


def _largest(sums: Sums, scales: NDArray[np.uint64], out: NDArray[np.bool_]) -> None:
    """One True a pixel, at the class with the largest sum * scale; of equals, the first."""
    winner = np.argmax(sums * scales[:, None], axis=0)
    np.equal(winner[None], np.arange(len(scales))[:, None], out=out)
