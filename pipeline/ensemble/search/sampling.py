"""A sample of the images and disputed pixels, for searches that go over them thousands of times.

A search for the weights of M members makes some M squared passes. Above SEARCHED_VALUES they would
take hours, and a machine's memory no longer holds what they go over. So the weights are searched
on a sample, and the few blends that are left compete on all pixels (`weights.search_choice`).
Images are drawn evenly over how much of them is disputed; pixels of an image, a class and a truth
evenly over the image. Counts of a sample stand for those of whole images, so that a metric of
counts sees what it always sees. The draw is seeded and knows no score: the same maps give the same
blend, and what is left out of a choice is left out of its sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.search.scratch import Spool

SEED = 0
# Stored numbers of disputed pixels, of all members. The search of 50 members goes over these in
# about half an hour, and a machine of 8 GiB keeps them in memory.
SEARCHED_VALUES = 1 << 30
# Of the sample: a quarter of a second's reading, and with 50 members 2.7 million pixels.
SAMPLED_VALUES = 1 << 27
# Counts at every threshold are made of each image; their mean is known well from so many.
SAMPLED_IMAGES = 1024
# Of the pixels of an image, a class and a truth: fewer would make its counts a lottery.
FEWEST_PIXELS = 64

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Blocks:
    """(depth, P) blocks in a flat array of numbers, by image and kind.

    starts, lengths: (images, kinds), where a block begins and its P; stand_for: (images, kinds),
    how many pixels those of a sample stand for, None where each is there.
    """

    values: NDArray[Any]
    starts: Numbers
    lengths: Numbers
    depth: int
    stand_for: Numbers | None = None

    @property
    def counted(self) -> Numbers:
        """The pixels of each block, or those that they stand for."""
        return self.lengths if self.stand_for is None else self.stand_for

    def whole(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Counts (images, kinds, ...) of the pixels at hand as those of all they stand for."""
        if self.stand_for is None:
            return counts
        factors = self.stand_for / np.maximum(self.lengths, 1)
        spread = factors.reshape(*factors.shape, *[1] * (counts.ndim - factors.ndim))
        return np.rint(counts * spread).astype(counts.dtype)

    def select(self, rows: Numbers) -> Self:
        """Of some of the images."""
        stand_for = None if self.stand_for is None else self.stand_for[rows]
        return replace(
            self, starts=self.starts[rows], lengths=self.lengths[rows], stand_for=stand_for
        )


def draw_sample(blocks: Blocks, folder: Path) -> tuple[Numbers, Blocks] | None:
    """The numbers of the sampled images, and some of their pixels; None below SEARCHED_VALUES."""
    disputed = blocks.lengths.sum(axis=tuple(range(1, blocks.lengths.ndim)))
    if int(disputed.sum()) * blocks.depth <= SEARCHED_VALUES:
        return None
    random = np.random.default_rng(SEED)
    images = draw_images(disputed, SAMPLED_IMAGES, random)
    return images, _draw_pixels(blocks.select(images), folder, random)


def draw_images(disputed: Numbers, count: int, random: np.random.Generator) -> Numbers:
    """At most `count` image numbers, ascending, evenly over the ranks of `disputed` (images,)."""
    order = np.lexsort((random.permutation(len(disputed)), disputed))
    return np.sort(order[_evenly(len(order), min(count, len(order)), random)])


def _draw_pixels(blocks: Blocks, folder: Path, random: np.random.Generator) -> Blocks:
    """A sample of the pixels of each block, in a nameless file of `folder`."""
    total = int(blocks.lengths.sum()) * blocks.depth
    share = min(1.0, SAMPLED_VALUES / max(1, total))
    wanted = np.maximum(np.ceil(blocks.lengths * share).astype(np.int64), FEWEST_PIXELS)
    lengths = np.minimum(wanted, blocks.lengths)
    spool = Spool(folder)
    for block in _drawn(blocks, lengths, random):
        spool.append(block)
    ends = np.cumsum(lengths * blocks.depth).reshape(lengths.shape)
    return Blocks(
        spool.finish(blocks.values.dtype),
        ends - lengths * blocks.depth,
        lengths,
        blocks.depth,
        blocks.lengths,
    )


def _drawn(blocks: Blocks, lengths: Numbers, random: np.random.Generator) -> Iterator[NDArray[Any]]:
    places = zip(blocks.starts.flat, blocks.lengths.flat, lengths.flat, strict=True)
    for start, there, count in places:
        block = blocks.values[start : start + blocks.depth * there].reshape(blocks.depth, there)
        yield block[:, _evenly(int(there), int(count), random)]


def _evenly(there: int, count: int, random: np.random.Generator) -> Numbers:
    """`count` of the numbers below `there`, ascending: one of each of `count` equal parts."""
    edges = np.arange(count + 1) * there // max(1, count)
    return edges[:-1] + (random.random(count) * np.diff(edges)).astype(np.int64)
