"""Planned stores: their size on disk, the part that exists, and their creation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pipeline.atomic_files import empty_folder
from pipeline.config.choices import Codec, MapDtype
from pipeline.errors import ArtefactError
from pipeline.maps.accumulate import Accumulator, SourceDtype
from pipeline.maps.codec import codec_of
from pipeline.maps.index import MapIndex, MapShape
from pipeline.maps.layout import HEADER
from pipeline.maps.shards import SHARDS
from pipeline.maps.sources import read_sources, write_sources
from pipeline.maps.store import MapStore

Store = TypeVar("Store", MapStore, Accumulator)


@dataclass(frozen=True)
class PlannedStore:
    """The parameters of a map store before it is created."""

    folder: Path
    shapes: tuple[MapShape, ...]
    classes: tuple[str, ...]
    fingerprint: str
    dtype: MapDtype
    codec: Codec
    shards: Callable[[], Sequence[Sequence[str]]] = tuple
    """The ids of each shard, for a new store that several machines write; none: one file. Asked
    when it is made.
    """
    sources: Mapping[str, str] = field(default_factory=dict)
    """Id → fingerprint of the inputs of its map, for the maps that are requested now."""

    @cached_property
    def slot_bytes(self) -> int:
        """Bytes of all slots: exact for raw maps, an upper bound for packed ones."""
        return _slot_bytes(self.shapes, self.classes, self.codec, self.dtype)

    @property
    def certain_bytes(self) -> int:
        """Bytes that are allocated at creation; packed maps take space as they are written."""
        return self.slot_bytes if self.codec == "raw" else 0

    @cached_property
    def existing(self) -> MapStore | None:
        """The store there, if it is this one and not another's."""
        return self._opened[0]

    @property
    def damage(self) -> str | None:
        """What is wrong with the files of the store there; None when nothing is."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[MapStore | None, str | None]:
        return _opened(self.folder, MapStore.open, self._is_this)

    def _is_this(self, store: MapStore) -> bool:
        return (
            store.fingerprint == self.fingerprint
            and (store.classes, store.dtype, store.codec) == (self.classes, self.dtype, self.codec)
            and store.shapes == self.shapes
        )

    @cached_property
    def stale(self) -> list[str]:
        """The ids whose maps, if they are there, were made from something else."""
        return self._stale()

    def _stale(self) -> list[str]:
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
        store = _repaired(self.folder, self._create)
        stale = self._stale()
        if stale:
            store.reset(stale)
            write_sources(self.folder, {**read_sources(self.folder), **self.sources})
        return store

    def _create(self) -> MapStore:
        return MapStore.create(
            self.folder,
            self.shapes,
            self.classes,
            fingerprint=self.fingerprint,
            dtype=self.dtype,
            codec=self.codec,
            shards=self.shards(),
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
        return self._opened[0]

    @property
    def damage(self) -> str | None:
        """What is wrong with the files of the sums there; None when nothing is."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Accumulator | None, str | None]:
        return _opened(self.folder, Accumulator.open, self._is_this)

    def _is_this(self, sums: Accumulator) -> bool:
        return sums.fingerprint == self.fingerprint and sums.shapes == self.shapes

    def ready(self) -> Accumulator:
        """The sums to read, if all are complete, else to add to; others are removed first."""
        if self.existing is not None and self.existing.is_complete:
            return self.existing
        return _repaired(self.folder, self._create)

    def _create(self) -> Accumulator:
        return Accumulator.create(
            self.folder,
            self.shapes,
            self.classes,
            self.weights,
            fingerprint=self.fingerprint,
            dtype=self.dtype,
        )


def _opened(
    folder: Path, open_store: Callable[[Path], Store], is_this: Callable[[Store], bool]
) -> tuple[Store | None, str | None]:
    """The store there, if it is the one that is planned, and what is wrong with its files."""
    try:
        store = open_store(folder)
    except ArtefactError as error:
        is_damaged = any((folder / name).exists() for name in (HEADER, SHARDS))
        return None, str(error) if is_damaged else None
    return (store, None) if is_this(store) else (None, None)


def _repaired(folder: Path, create: Callable[[], Store]) -> Store:
    """The store to continue: the existing one where possible, otherwise a new one."""
    try:
        return create()
    except ArtefactError:  # of another run, or its header is damaged
        empty_folder(folder)
        return create()


def _slot_bytes(
    shapes: tuple[MapShape, ...], classes: tuple[str, ...], codec: Codec, dtype: str
) -> int:
    return codec_of(codec, MapIndex.of(shapes, len(classes)), dtype).size
