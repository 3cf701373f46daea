"""Stores as they are to be: what they take on the disk, what of them is there, and their making."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.errors import ArtefactError
from pipeline.maps.accumulate import Accumulator, SourceDtype
from pipeline.maps.codec import codec_of
from pipeline.maps.header import Codec
from pipeline.maps.index import MapIndex, MapShape
from pipeline.maps.quantise import MapDtype
from pipeline.maps.sources import read_sources, write_sources
from pipeline.maps.store import MapStore


@dataclass(frozen=True)
class PlannedStore:
    """A map store by what must be known before it is made."""

    folder: Path
    shapes: tuple[MapShape, ...]
    classes: tuple[str, ...]
    fingerprint: str
    dtype: MapDtype
    codec: Codec
    sources: Mapping[str, str] = field(default_factory=dict)
    """Id → fingerprint of what its map is made from, of the maps that are asked for now."""

    @cached_property
    def slot_bytes(self) -> int:
        """Bytes of all slots: of raw maps what they take, of packed ones the most they can."""
        return _slot_bytes(self.shapes, self.classes, self.codec, self.dtype)

    @property
    def certain_bytes(self) -> int:
        """Bytes that will be taken at once; packed maps take what they turn out to."""
        return self.slot_bytes if self.codec == "raw" else 0

    @cached_property
    def existing(self) -> MapStore | None:
        """The store there, if it is this one and not another's."""
        try:
            store = MapStore.open(self.folder)
        except ArtefactError:
            return None
        return store if store.fingerprint == self.fingerprint else None

    @cached_property
    def stale(self) -> list[str]:
        """The ids whose maps, if they are there, were made from something else."""
        recorded = read_sources(self.folder)
        return [each for each, source in self.sources.items() if recorded.get(each) != source]

    def pending(self) -> list[str]:
        """The ids whose maps are to be made, in index order."""
        absent = {shape.id for shape in self.shapes} if self.existing is None else set()
        absent |= set(self.existing.pending()) if self.existing is not None else set()
        stale = absent.union(self.stale)
        return [shape.id for shape in self.shapes if shape.id in stale]

    @property
    def is_complete(self) -> bool:
        return self.existing is not None and self.existing.is_complete and not self.stale

    def ready(self) -> MapStore:
        """The store to read, if all maps are in, else to write; another's is removed first.

        Maps that were made from something else are put back to not done.
        """
        if self.existing is not None and self.is_complete:
            return self.existing
        if self.existing is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        store = self._laid_out()
        if self.stale:
            store.reset(self.stale)
            write_sources(self.folder, {**read_sources(self.folder), **self.sources})
        return store

    def _laid_out(self) -> MapStore:
        return MapStore.create(
            self.folder,
            self.shapes,
            self.classes,
            fingerprint=self.fingerprint,
            dtype=self.dtype,
            codec=self.codec,
        )


@dataclass(frozen=True)
class PlannedSums:
    """The same for a weighted sum; `dtype` is that of the numbers that are added."""

    folder: Path
    shapes: tuple[MapShape, ...]
    classes: tuple[str, ...]
    fingerprint: str
    dtype: SourceDtype
    weights: Mapping[str, int]

    @cached_property
    def certain_bytes(self) -> int:
        """Bytes that will be taken at once."""
        return _slot_bytes(self.shapes, self.classes, "raw", "uint32")

    @cached_property
    def existing(self) -> Accumulator | None:
        """The sums there, if they are these."""
        try:
            sums = Accumulator.open(self.folder)
        except ArtefactError:
            return None
        return sums if sums.fingerprint == self.fingerprint else None

    def ready(self) -> Accumulator:
        """The sums to read, if all are complete, else to add to; others are removed first."""
        if self.existing is not None and self.existing.is_complete:
            return self.existing
        if self.existing is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        return Accumulator.create(
            self.folder,
            self.shapes,
            self.classes,
            self.weights,
            fingerprint=self.fingerprint,
            dtype=self.dtype,
        )


def _slot_bytes(
    shapes: tuple[MapShape, ...], classes: tuple[str, ...], codec: Codec, dtype: str
) -> int:
    return codec_of(codec, MapIndex.of(shapes, len(classes)), dtype).size
