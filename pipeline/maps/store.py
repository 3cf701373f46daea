"""The map store: a folder that holds one probability map an image, in one file or in shards.

`maps.npy` holds the quantised maps one after another, `index.csv` says where each one is,
`records.npy` which are done and their checksums, `header.json` what they are maps of. A map is
done only after its bytes are on disk; a process may be killed at any instant, and the next one
continues from the maps that are done. Readers need no lock; a writer locks the rows it writes.
Shards are stores of their own below the folder, which this class glues (`pipeline.maps.shards`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.config.choices import Codec, MapDtype
from pipeline.errors import ArtefactError, MaskmillError
from pipeline.maps.files import Problem, StoreFiles
from pipeline.maps.header import StoreHeader
from pipeline.maps.index import MapIndex, MapShape
from pipeline.maps.layout import index_sha256
from pipeline.maps.quantise import Stored, dequantise, quantise
from pipeline.maps.shards import Parts, create_parts


class MapStore:
    """Probability maps (CxHxW, float32 0..1) by id, kept quantised. See `create` and `open`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @classmethod
    def create(
        cls,
        folder: Path,
        shapes: Sequence[MapShape],
        classes: Sequence[str],
        *,
        fingerprint: str,
        dtype: MapDtype = "uint8",
        codec: Codec = "raw",
        shards: Sequence[Sequence[str]] = (),
    ) -> MapStore:
        """A store to write to: a new one with all its space, or the existing one to continue.

        shards: the ids of each, for a new store that several machines write; none: one file.
        Raises ArtefactError if the folder holds other maps (of another fingerprint, say), and
        ResourceError if the disk cannot hold the store.
        """

        def lay_out(where: Path, some: Sequence[MapShape]) -> StoreFiles:
            index = MapIndex.of(some, len(classes))
            header = StoreHeader(
                kind="probability",
                fingerprint=fingerprint,
                classes=tuple(classes),
                dtype=dtype,
                codec=codec,
                index_sha256=index_sha256(index.to_csv()),
            )
            return StoreFiles.create(where, header, index)

        return cls(create_parts(folder, shapes, shards, fingerprint, lay_out))

    @classmethod
    def open(cls, folder: Path) -> MapStore:
        """A store to read from; ArtefactError if there is none, or not one that was laid out."""
        parts = Parts.open(folder, writable=False)
        kind = parts.files[0].header.kind
        if kind != "probability":
            raise ArtefactError(f"{folder} holds a {kind} of maps, not maps")
        return cls(parts)

    def __reduce__(self) -> tuple[Callable[..., MapStore], tuple[Any, ...]]:
        """Travels to another process as its folder; a memory map would travel as its content."""
        return _reopen, (self.folder, self._parts.writable, self._parts.numbers)

    def shard_of(self, id: str) -> Path:
        """The folder of the files that hold that map: this store's own, or that of a shard."""
        return self._parts.place(id)[0].folder

    def part(self, ids: Iterable[str]) -> MapStore:
        """The same store, of which only the shards are open that hold these maps."""
        wanted = {self.shard_of(each) for each in ids}
        files = [each for each in self._parts.files if each.folder in wanted]
        some = {each for part in files for each in part.index.ids}
        return MapStore(Parts(self.folder, files, [each for each in self.ids if each in some]))

    @property
    def folder(self) -> Path:
        return self._parts.folder

    @property
    def folders(self) -> frozenset[Path]:
        """Of the files that hold its maps: its own, or those of its open shards."""
        return frozenset(each.folder for each in self._parts.files)

    @property
    def ids(self) -> list[str]:
        """In index order."""
        return self._parts.ids

    @property
    def _header(self) -> StoreHeader:
        return self._parts.files[0].header

    @property
    def classes(self) -> tuple[str, ...]:
        return self._header.classes

    @property
    def fingerprint(self) -> str:
        return self._header.fingerprint

    @property
    def content(self) -> str:
        """Changes with any byte of what is stored; the fingerprint says what it was made from."""
        return self._parts.digest

    @property
    def dtype(self) -> MapDtype:
        return cast("MapDtype", self._header.dtype)

    @property
    def codec(self) -> Codec:
        return self._header.codec

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        """Of all maps, in index order."""
        return self._parts.shapes

    def __len__(self) -> int:
        return len(self.ids)

    def shape(self, id: str) -> tuple[int, int, int]:
        """(classes, height, width)."""
        files, row = self._parts.place(id)
        return files.index.shape(row)

    def pending(self) -> list[str]:
        """The ids whose maps are not done, in index order."""
        return [self.ids[row] for row in np.flatnonzero(~self._parts.done)]

    @property
    def is_complete(self) -> bool:
        return bool(self._parts.done.all())

    def claim(self, ids: Iterable[str]) -> AbstractContextManager[object]:
        """Be the only writer of these maps; ArtefactError with the pid of another one."""
        return self._parts.claim(ids)

    def write(self, maps: Mapping[str, NDArray[np.float32]]) -> None:
        """Quantise and write a batch of probability maps; on disk and done when this returns.

        Raises ArtefactError for another shape, for values outside 0..1 or if another process
        writes one of these maps; TrainingError for NaN; ResourceError if the disk is full.
        """
        largest = max((values.size for values in maps.values()), default=0)
        buffer = np.empty(largest, self.dtype)
        for files, ids in self._parts.by_part(maps):
            rows = files.index.rows(ids)

            def stored(position: int, ids: list[str] = ids) -> Stored:
                values = self._checked(ids[position], maps[ids[position]])
                out = buffer[: values.size].reshape(values.shape)
                return self._quantised(ids[position], values, out)

            with files.owned(rows):
                files.write(rows, stored)

    def write_bands(self, id: str, bands: Iterable[NDArray[np.float32]]) -> None:
        """`write` for one map that comes in bands CxhxW, top to bottom, and is never whole in
        memory unless the codec packs it. A map whose bands stop half way is not done.
        """
        files, row = self._parts.place(id)
        with files.owned(np.array([row])):
            files.write_bands(row, (self._quantised(id, band) for band in bands))

    def read(self, id: str) -> NDArray[np.float32]:
        """The map as float32 CxHxW, within half a step of what was written."""
        return dequantise(self.read_raw(id))

    def read_raw(self, id: str) -> Stored:
        """The stored values, CxHxW: a read-only view into the file unless it is packed."""
        files, row = self._parts.place(id)
        return files.read(row)

    def verify(self) -> Iterator[Problem]:
        """Read every byte and name each map that is missing, truncated or altered."""
        return self._parts.verify()

    def reset(self, ids: Iterable[str]) -> None:
        """Mark these maps as not done, so that they are made again."""
        for files, some in self._parts.by_part(ids):
            rows = files.index.rows(some)
            with files.owned(rows):
                files.forget(rows)

    def _quantised(self, id: str, values: NDArray[np.float32], out: Stored | None = None) -> Stored:
        try:
            return quantise(values, self.dtype, out)
        except MaskmillError as error:
            raise type(error)(f"{id} for {self.folder}: {error}") from None

    def _checked(self, id: str, values: NDArray[Any]) -> NDArray[Any]:
        if values.shape != self.shape(id):
            raise ArtefactError(
                f"map of {id!r} is {values.shape} (CxHxW), and {self.folder} has room for "
                f"{self.shape(id)}"
            )
        return values


def _reopen(folder: Path, writable: bool, shards: tuple[int, ...] | None) -> MapStore:
    return MapStore(Parts.open(folder, writable=writable, some=shards))
