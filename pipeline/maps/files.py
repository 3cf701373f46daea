"""The files of one store, read and written so that a kill loses no finished map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import fence
from pipeline.errors import ArtefactError
from pipeline.maps import disk, locks
from pipeline.maps.bands import Band, pack_bands, write_bands
from pipeline.maps.checksums import checksum, checksum_on_disk, new_checksum
from pipeline.maps.codec import codec_of
from pipeline.maps.header import StoreHeader, read_header
from pipeline.maps.index import MapIndex
from pipeline.maps.layout import HEADER, INDEX, RECORDS, lay_out, read_index
from pipeline.maps.records import Records

_PIECE = 16 * 2**20  # bytes of a map that are read at a time


@dataclass(frozen=True)
class Problem:
    """A map that cannot be used, and why."""

    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.id}: {self.reason}"


class StoreFiles:
    """A folder with a slot of bytes for each row of its index."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        self.folder = folder
        self.writable = writable
        self._claimed: set[int] = set()
        self.header = read_header(folder / HEADER)
        self.index = read_index(folder / INDEX, self.header)
        self.codec = codec_of(self.header.codec, self.index, self.header.dtype)
        self.records = Records(folder / RECORDS, len(self.index.ids), writable=writable)
        self.seed: Callable[[int], int] = lambda row: 0
        """Start of the checksum of a map, for stores with additional data per map."""
        self._seen_whole = np.zeros(len(self.index.ids), bool)
        self._data = _map_bytes(self.data_path)
        if not self.codec.preamble.startswith(self._data[: len(self.codec.preamble)].tobytes()):
            raise ArtefactError(f"{self.data_path} is damaged at its start; run `make infer`")
        if self._data.size > self.codec.size:
            raise ArtefactError(f"{self.data_path} is longer than its maps; run `make infer`")

    @classmethod
    def create(cls, folder: Path, header: StoreHeader, index: MapIndex) -> StoreFiles:
        """To write to; raises as `lay_out` does."""
        lay_out(folder, header, index)
        return cls(folder, writable=True)

    @property
    def data_path(self) -> Path:
        return self.folder / self.codec.file_name

    @contextmanager
    def claim(self, rows: NDArray[np.int64]) -> Iterator[None]:
        """Sole writer of those rows, until the block ends or this process dies."""
        claimed = set(rows.tolist())
        with locks.exclusive(self.folder.resolve() / ".writers", claimed):
            self._claimed |= claimed
            try:
                yield
            finally:
                self._claimed -= claimed

    @contextmanager
    def owned(self, rows: NDArray[np.int64]) -> Iterator[None]:
        """Like `claim`, but rows already claimed through this object do not conflict."""
        others = [row for row in rows.tolist() if row not in self._claimed]
        with self.claim(np.array(others)) if others else nullcontext():
            yield

    @property
    def done(self) -> NDArray[np.bool_]:
        """The maps that are done, as far as is known without reading them."""
        return self.records.done(self.codec, self._data.size)

    def read(self, row: int) -> NDArray[Any]:
        """The stored values of a map that is done, CxHxW; a read-only view if not packed."""
        if not self.records.is_declared(row):
            name = f"map {self.index.ids[row]!r} of {self.folder}"
            raise ArtefactError(f"{name} is not done; run `make infer`")
        if not (self._is_done(row) and self._is_whole(row)):
            raise self.mark_damaged(row)
        return self.stored(row)

    def stored(self, row: int) -> NDArray[Any]:
        """The values in the slot of a map that is or was done, CxHxW, as they are."""
        values = self.codec.decode(self._slot(row)).view(self.header.dtype)
        return values.reshape(self.index.shape(row))

    def mark_damaged(self, row: int) -> ArtefactError:
        """Mark a damaged map as not done, and all others that are damaged, too, so that one more
        run makes them again together; the error that says so.
        """
        rows = self._damaged_rows()
        others = len(rows - {row})
        for each in sorted(rows | {row}):
            self._forget_damaged(each)
        name = f"map {self.index.ids[row]!r}" + (f" and {others} more" if others else "")
        name += f" of {self.folder} {'are' if others else 'is'} damaged"
        return ArtefactError(
            f"{name}; run the same command again to regenerate {'them' if others else 'it'} "
            "(`make verify` names every damaged one)"
        )

    def _damaged_rows(self) -> set[int]:
        """The maps that are declared done and are not as they were written."""
        with suppress(OSError):
            rows = {self.index.row(problem.id) for problem in self.verify()}
            return {row for row in rows if self.records.is_declared(row)}
        return set()

    def _forget_damaged(self, row: int) -> None:
        """Mark a map as not done unless another process writes it, or nothing can be written."""
        rows = np.array([row])
        with suppress(ArtefactError, OSError), self.owned(rows):
            if not (self._is_done(row) and self.is_intact(row)):
                self.forget(rows)

    def _is_done(self, row: int) -> bool:
        return bool(self.records.done(self.codec, self._data.size, row))

    def _is_whole(self, row: int) -> bool:
        """True if the map is what was written; a raw one, once seen to be, is not looked at again.

        A packed one is, since nothing that was altered may reach a decompressor.
        """
        if self.codec.packed:
            return self.is_intact(row)
        if not self._seen_whole[row]:
            self._seen_whole[row] = self.is_intact(row)
        return bool(self._seen_whole[row])

    def is_intact(self, row: int) -> bool:
        """True if the bytes of that map are those that were written."""
        return self.checksum(self._slot(row).data, row) == self.records.checksum(row)

    def checksum(self, data: memoryview, row: int) -> int:
        """That of the bytes of a map, as this store keeps it."""
        return checksum(data, self.header.format, self.seed(row))

    def _slot(self, row: int) -> NDArray[np.uint8]:
        start = int(self.codec.starts[row])
        return self._data[start : start + self.records.length(row)]

    def write(self, rows: NDArray[np.int64], map_of: Callable[[int], NDArray[Any]]) -> None:
        """Write one batch; `map_of(i)` gives the stored values of `rows[i]`, used before the next.

        The caller owns the rows. Everything is on disk when this returns.
        """
        with self._replacing(rows) as (descriptor, stored):
            stored += [self._put(descriptor, row, map_of(i)) for i, row in enumerate(rows.tolist())]

    def write_bands(self, row: int, bands: Iterable[Band]) -> None:
        """Write one map from its bands, top to bottom; without the last one it is not done.

        The caller owns the row. Everything is on disk when this returns.
        """
        shape, dtype = self.index.shape(row), np.dtype(self.header.dtype)
        with self._replacing(np.array([row])) as (descriptor, stored):
            if self.codec.packed:
                packed = pack_bands(self.codec, shape, dtype, bands)
                stored.append(self._put_packed(descriptor, row, packed))
            else:
                start = int(self.codec.starts[row])
                length = write_bands(descriptor, self.data_path, start, shape, bands)
                # planes were written in turns; the system still has their bytes in memory
                seeded = new_checksum(self.header.format, self.seed(row))
                found = checksum_on_disk(seeded, descriptor, start, length, bytearray(_PIECE))
                if isinstance(found, str):
                    raise ArtefactError(f"map {self.index.ids[row]!r} of {self.folder} is {found}")
                stored.append((found, length))

    @contextmanager
    def _replacing(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Write maps in the block, and list (checksum, length) of each: they are done after it."""
        assert self.writable, f"{self.folder} was opened for reading"
        self._seen_whole[rows] = False
        fence.check()
        self.records.forget(rows)
        stored: list[tuple[int, int]] = []
        with disk.opened(self.data_path) as descriptor:
            yield descriptor, stored
            os.fdatasync(descriptor)
        fence.check()
        self.records.finish(rows, stored)

    def _put(self, descriptor: int, row: int, values: NDArray[Any]) -> tuple[int, int]:
        return self._put_packed(descriptor, row, self.codec.encode(values))

    def _put_packed(self, descriptor: int, row: int, packed: memoryview) -> tuple[int, int]:
        disk.write_at(descriptor, packed, int(self.codec.starts[row]), self.data_path)
        return self.checksum(packed, row), len(packed)

    def forget(self, rows: NDArray[np.int64]) -> None:
        """Mark maps as not done, also in a store that was opened for reading."""
        path = self.folder / RECORDS
        Records(path, len(self.index.ids), writable=True).forget(rows)

    def verify(self) -> Iterator[Problem]:
        """Read every byte and name each map that is missing, truncated or altered."""
        # Through `pread`, since a bad sector below a memory map is a SIGBUS.
        buffer = bytearray(min(_PIECE, int(self.codec.sizes.max())))
        # A data file that is gone counts as one without bytes.
        path = self.data_path if self.data_path.is_file() else Path(os.devnull)
        with path.open("rb", buffering=0) as stream:
            for row, id in enumerate(self.index.ids):
                reason = self._fault(row, stream.fileno(), buffer)
                if reason:
                    yield Problem(id, reason)

    def _fault(self, row: int, descriptor: int, buffer: bytearray) -> str | None:
        if not self.records.is_declared(row):
            return "missing"
        whole = int(self.codec.starts[row] + self.codec.sizes[row])
        if not self.records.done(self.codec, whole, row):
            return "its record was altered"
        start, length = int(self.codec.starts[row]), self.records.length(row)
        seeded = new_checksum(self.header.format, self.seed(row))
        found = checksum_on_disk(seeded, descriptor, start, length, buffer)
        if isinstance(found, str):
            return found
        return None if found == self.records.checksum(row) else "altered"


def _map_bytes(path: Path) -> NDArray[np.uint8]:
    """The bytes there are, as a read-only view: all of the file, even if it was truncated."""
    if not path.is_file() or not path.stat().st_size:
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))
