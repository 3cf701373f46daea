"""Destinations of predicted maps: a store for each model, or the weighted sum of all models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.choices import MapDtype
from pipeline.errors import MaskmillError
from pipeline.maps import Accumulator, MapStore
from pipeline.maps.quantise import quantise

ModelMaps = Sequence[NDArray[Any]]
"""The maps CHW of one image by several models: float32 probabilities, or as they are stored."""
ModelBands = Callable[[int], Iterator[NDArray[Any]]]
"""Predicts one image by the model of that number: bands CxhxW of its map, top to bottom."""


class Sink(Protocol):
    """Takes the maps of several models, image by image. Picklable."""

    @property
    def folder(self) -> Path:
        """Where it writes, and what does not fit into memory may lie."""

    @property
    def folders(self) -> frozenset[Path]:
        """The stores, of which single files are written in place."""

    def claim(self, ids: Sequence[str]) -> AbstractContextManager[object]:
        """Be the only writer of these images' maps."""

    def pending(self) -> set[str]:
        """The images of which some map is missing."""

    def write(self, batch: Mapping[str, ModelMaps]) -> None:
        """Take a batch of images; on disk when this returns."""

    def write_bands(self, each: str, bands: ModelBands) -> None:
        """Take one image band by band, by each model whose map is missing; on disk when this
        returns.
        """


@dataclass(frozen=True)
class StoreSink:
    """A store for each model."""

    stores: tuple[MapStore, ...]

    @property
    def folder(self) -> Path:
        return self.stores[0].folder

    @property
    def folders(self) -> frozenset[Path]:
        return frozenset(folder for store in self.stores for folder in store.folders)

    def claim(self, ids: Sequence[str]) -> AbstractContextManager[object]:
        claims = ExitStack()
        try:
            for store in self.stores:
                claims.enter_context(store.claim(ids))
        except BaseException:
            claims.close()
            raise
        return claims

    def pending(self) -> set[str]:
        return {each for store in self.stores for each in store.pending()}

    def write(self, batch: Mapping[str, ModelMaps]) -> None:
        for number, store in enumerate(self.stores):
            store.write({each: maps[number] for each, maps in batch.items()})

    def write_bands(self, each: str, bands: ModelBands) -> None:
        for number, store in enumerate(self.stores):
            if each in store.pending():
                store.write_bands(each, bands(number))


@dataclass(frozen=True)
class SumSink:
    """One weighted sum for all models, of just the numbers that their stores would have held.

    dtypes: how each model's maps would be stored; tables: (codes,) uint16, what the mean makes of
    a stored number, or None where it is summed as it is.
    """

    sums: Accumulator
    members: tuple[str, ...]
    dtypes: tuple[MapDtype, ...]
    tables: tuple[NDArray[np.uint16] | None, ...]

    @property
    def folder(self) -> Path:
        return self.sums.folder

    @property
    def folders(self) -> frozenset[Path]:
        return frozenset([self.sums.folder])

    def claim(self, ids: Sequence[str]) -> AbstractContextManager[object]:
        return self.sums.claim(ids)

    def pending(self) -> set[str]:
        return {each for member in self.members for each in self.sums.pending(member)}

    def write(self, batch: Mapping[str, ModelMaps]) -> None:
        self.sums.add({each: self._summands(each, maps) for each, maps in batch.items()})

    def write_bands(self, each: str, bands: ModelBands) -> None:
        for number, member in enumerate(self.members):
            if each in self.sums.pending(member):
                summands = (self._summand(each, number, band) for band in bands(number))
                self.sums.add_bands(each, member, summands)

    def _summands(self, each: str, maps: ModelMaps) -> dict[str, NDArray[Any]]:
        return {
            name: self._summand(each, number, maps[number])
            for number, name in enumerate(self.members)
        }

    def _summand(self, each: str, number: int, values: NDArray[Any]) -> NDArray[Any]:
        try:
            return summand(values, self.dtypes[number], self.tables[number])
        except MaskmillError as error:
            raise type(error)(f"{each} for {self.sums.folder}: {error}") from None


def summand(
    probabilities: NDArray[Any], dtype: MapDtype, table: NDArray[np.uint16] | None
) -> NDArray[Any]:
    """The summand of a map (float32, 0..1) in a blend: its stored numbers, mapped by `table`."""
    stored = quantise(probabilities, dtype)
    if table is None:
        return stored
    return np.asarray(table[stored.view(np.uint16) if dtype == "float16" else stored])
