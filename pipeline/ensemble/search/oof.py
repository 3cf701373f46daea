"""The input of the search (OOF maps and ground truths by image), and its interface to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.means import ARITHMETIC, Mean
from pipeline.metrics.metric import ImageStatistics

Shares = NDArray[np.uint32]
Levels = NDArray[np.int64]

FEWEST_IMAGES = 8
"""Of a sample: fewer are too few to search on."""


@dataclass(frozen=True)
class OofSource:
    """The members' OOF maps, by id.

    names: the members; ids: the images; maps(id): a quantised CHW map a member, in the order of
    `names`; truth(id): what is true of the image. outputs: of the auxiliary ones that steps look
    at, the labels; output_maps(id): their planes, as `maps`. picture(id): the image as people see
    it, for steps that look at it.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    maps: Callable[[str], Sequence[NDArray[Any]]]
    truth: Callable[[str], Truth]
    mean: Mean = ARITHMETIC
    multiclass: bool = False
    outputs: tuple[str, ...] = ()
    output_maps: Callable[[str], Sequence[NDArray[Any]]] = field(default=lambda id: ())
    picture: Callable[[str], NDArray[np.uint8]] | None = None

    def scaled(self, maps: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Each member's map as the integers that are summed, (C, pixels) uint8 or uint16.

        Made one at a time, because where a table makes them they are no view.
        """
        for member, stored in enumerate(maps):
            codes = stored.view(np.uint16) if stored.dtype == np.float16 else stored
            table, flat = self.mean.table(member), np.asarray(codes).reshape(len(codes), -1)
            yield flat if table is None else table[flat]

    def scale_type(self) -> np.dtype[Any]:
        """The type of those integers."""
        return self.mean.scale_type(self.maps(self.ids[0])[0].dtype)


class Oof(Protocol):
    """OOF maps in the form in which blends of them can be measured again and again.

    grid: (T,) float64 ascending, the thresholds to choose from; a *level* is an index into it;
    start: the level of the plain choice (0.5, or equal thresholds).
    sweeps_thresholds: whether many thresholds cost little more than one.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def classes(self) -> int: ...

    @property
    def images(self) -> int: ...

    @property
    def grid(self) -> NDArray[np.float64]: ...

    @property
    def start(self) -> int: ...

    @property
    def sweeps_thresholds(self) -> bool: ...

    @property
    def sample(self) -> Sample | None:
        """A part of it to search on first; None where a search on all takes little."""

    def weigh(self, shares: Shares) -> Callable[[Levels], ImageStatistics]:
        """Blend with integer weights (M,); the rest is a function of the thresholds.

        It takes levels (S, C) and returns the statistics of each image for each of the S choices,
        int64 (S, images, *shape of one).
        """

    def select(self, rows: NDArray[np.int64]) -> Self:
        """The same for some of the images, cheaply."""

    def error_correlations(self, shares: Shares) -> NDArray[np.float64]:
        """How alike each member's errors and the blend's are: Pearson's r, (M,)."""


@dataclass(frozen=True)
class Sample:
    """oof: the sampled pixels; images: the numbers of its images in the larger Oof, ascending."""

    oof: Oof
    images: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> Self | None:
        """Of some of the images; None where the sample has too few of them."""
        chosen = np.flatnonzero(np.isin(rows, self.images))
        if len(chosen) < FEWEST_IMAGES:
            return None
        return replace(
            self, oof=self.oof.select(np.searchsorted(self.images, rows[chosen])), images=chosen
        )
