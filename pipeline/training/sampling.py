"""Which image each position of an epoch shows, as a function of (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import TrainConfig
from pipeline.training.length import samples_a_step, training_length

ANYWHERE, ANY_CLASS = -1, -2
"""A crop that lies where it falls; one with a pixel of some class that its image has."""


class Key(NamedTuple):
    """What the random choices of one training sample depend on."""

    epoch: int
    position: int
    """In the epoch."""
    image: int
    """Its number."""
    focus: int = ANYWHERE
    """The class of which the crop is to contain a pixel, or one of the constants above."""


@dataclass(frozen=True)
class SampleFacts:
    """What sampling knows of the training images, in their order.

    weights: how often they are seen, relative to each other; None: equally often; present: which
    classes they have, where that matters.
    """

    count: int
    weights: tuple[float, ...] | None = None
    present: tuple[tuple[bool, ...], ...] = ()


def epoch_batches(
    facts: SampleFacts, settings: TrainConfig, epoch: int, start: int
) -> Iterator[list[Key]]:
    """The keys of every batch of an epoch from step `start` on; a step has `accumulate` of them."""
    length, size = training_length(facts.count, settings), samples_a_step(settings)
    first = length.first_step(epoch) * size
    drawn = _Drawn(facts, settings, epoch, first, length.steps_of(epoch) * size)
    share = (first + np.arange(drawn.count)) / max(1, length.total * size - 1)
    filled = drawn.filled(share.clip(0, 1))
    focus = drawn.focus(filled)
    is_plain = facts.weights is None and filled is None and not drawn.is_balanced
    images = drawn.evenly() if is_plain else drawn.by_pools(filled, focus)
    places = zip(images.tolist(), focus.tolist(), strict=True)
    keys = [Key(epoch, position, *place) for position, place in enumerate(places)]
    for begin in range(start * size, len(keys), settings.batch):
        yield keys[begin : begin + settings.batch]


@dataclass(frozen=True)
class _Drawn:
    """The draws of an epoch of `count` samples, `first` of the training being its first one."""

    facts: SampleFacts
    settings: TrainConfig
    epoch: int
    first: int
    count: int

    def _random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, self.epoch, purpose])

    @property
    def is_balanced(self) -> bool:
        return self.settings.sample.classes == "balanced"

    def evenly(self) -> NDArray[np.int64]:
        """A random order of all images, repeated (reordered) as far as the steps go.

        Epochs of images begin with one; parts of a `train.length` go on where the last one ended.
        """
        images = self.facts.count
        if self.settings.length is None:
            random, rounds = self._random(1), -(-self.count // images)
            return np.concatenate([random.permutation(images) for _ in range(rounds)])[: self.count]
        before, seed = self.first // images, self.settings.seed
        rounds = -(-(self.first + self.count) // images) - before
        orders = [
            np.random.default_rng([seed, before + number, 3]).permutation(images)
            for number in range(rounds)
        ]
        start = self.first - before * images
        return np.concatenate(orders)[start : start + self.count]

    def filled(self, share: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """For each position whether its image has any foreground; None: whatever comes.

        share: of the training that lies before the position.
        """
        slide = self.settings.sample.positives
        if slide is None:
            return None
        return np.asarray(self._random(4).random(self.count) < slide[0] + np.diff(slide) * share)

    def focus(self, filled: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """For each position the class that its crop is to contain."""
        random = self._random(2)
        chosen = random.random(self.count) < self.settings.sample.foreground
        if filled is not None:
            chosen &= filled
        classes = np.full(self.count, ANY_CLASS)
        if self.is_balanced:
            classes = random.integers(len(self.facts.present[0]), size=self.count)
        return np.where(chosen, classes, ANYWHERE)

    def by_pools(
        self, filled: NDArray[np.bool_] | None, focus: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """An image for each position, from those that are what the position asks for."""
        random, order = self._random(5), np.zeros(self.count, np.int64)
        weights = np.asarray(self.facts.weights or np.ones(self.facts.count))
        present = np.array(self.facts.present, bool).reshape(self.facts.count, -1)
        has_any = np.asarray(present.any(axis=1))
        asked = np.ones(self.count, bool) if filled is None else filled
        free = focus < 0
        pools = [(focus == number, column) for number, column in enumerate(present.T)]
        pools.append((free & asked, np.ones_like(has_any) if filled is None else has_any))
        pools.append((free & ~asked, ~has_any))
        for positions, images in pools:
            if positions.any():
                among = np.flatnonzero(images)
                order[positions] = _spread(among, weights[among], positions.sum(), random)
        return order


def _spread(
    images: NDArray[np.intp],
    weights: NDArray[np.float64],
    count: int,
    random: np.random.Generator,
) -> NDArray[np.intp]:
    """`count` of `images` in random order, each as often as its weight says, rounded up or down.

    Systematic sampling: evenly spaced points on the cumulated weights of a random order.
    """
    mixed = random.permutation(len(images))
    ends = np.cumsum(weights[mixed])
    points = (np.arange(count) + random.random()) / count * ends[-1]
    # an image of weight 0 is never hit: the first end beyond a point belongs to one with a weight
    found = np.searchsorted(ends, points, side="right").clip(max=np.flatnonzero(weights[mixed])[-1])
    return random.permutation(images[mixed[found]])
