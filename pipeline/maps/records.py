"""The state of each map: 16 bytes in `records.npy`, written after the map itself is on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import stream_atomic
from pipeline.maps.codec import SlotCodec
from pipeline.maps.npy import map_table

# 16 bytes divide a disk sector, so that a power failure leaves a record old or new.
RECORD = np.dtype([("length", "<u8"), ("checksum", "<u4"), ("done", "<u4")])


ALL = slice(None)


class Records:
    """The table of one store; `done` of a row is 1 when its map is whole on disk."""

    def __init__(self, path: Path, count: int, *, writable: bool) -> None:
        self._table = map_table(path, (count,), RECORD, writable=writable)

    @staticmethod
    def create(path: Path, count: int) -> None:
        """A table in which no map is done."""
        empty = np.zeros(count, RECORD)
        stream_atomic(path, lambda stream: np.save(stream, empty))

    @property
    def table(self) -> NDArray[np.void]:
        """All records."""
        return self._table

    @property
    def declared(self) -> NDArray[np.bool_]:
        """The maps that were declared done."""
        declared: NDArray[np.bool_] = self._table["done"] == 1
        return declared

    def is_declared(self, row: int) -> bool:
        return bool(self._table["done"][row] == 1)

    def done(self, codec: SlotCodec, size: int, rows: int | slice = ALL) -> NDArray[np.bool_]:
        """Those of them that can be: with a length that fits their slot, within `size` bytes of
        data. No byte of a map is read.
        """
        table, slots = self._table[rows], codec.sizes[rows]
        lengths = table["length"].astype(np.int64)  # a huge one is negative
        fits = (lengths > 0) & (lengths <= slots) if codec.packed else lengths == slots
        ends = codec.starts[rows] + np.where(fits, lengths, 0)
        done: NDArray[np.bool_] = (table["done"] == 1) & fits & (ends <= size)
        return done

    @property
    def digest(self) -> str:
        """Changes with the bytes of any map, by their checksums."""
        return hashlib.sha256(self._table.tobytes()).hexdigest()[:24]

    def length(self, row: int) -> int:
        return int(self._table["length"][row])

    def checksum(self, row: int) -> int:
        return int(self._table["checksum"][row])

    def finish(self, rows: NDArray[np.int64], stored: Sequence[tuple[int, int]]) -> None:
        """Declare maps whole, given (checksum, length) of each. Their bytes are on disk already."""
        self._table["checksum"][rows], self._table["length"][rows] = np.array(stored, np.uint64).T
        # Last, so that a kill between these two lines leaves the map undone.
        self._table["done"][rows] = 1
        self._flush()

    def forget(self, rows: NDArray[np.int64]) -> None:
        """Declare maps not done, on disk, before anything happens to their bytes."""
        if self._table["done"][rows].any():
            self._table["done"][rows] = 0
            self._flush()

    def _flush(self) -> None:
        self._table.flush()
