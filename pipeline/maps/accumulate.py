"""Accumulate mode: the members' maps summed straight into one store, each counted just once.

A sum is exact: whole numbers (a map's 0..255, say) times whole-number weights, in uint32. A sum
and its list of members change together: before either changes, the map is marked not
done, and it is done again when both are on disk. After a kill in between, that map is at zero
with no member in it, and `pending` names it for every member: a few maps predicted again, and
never half a sum or a member twice. (A journal or two alternating slots would save those few maps
at the price of twice the writing or twice the disk.) Sums of whole numbers do not depend on the
order of adding, so the bytes at the end are those of an unbroken run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import stream_atomic
from pipeline.errors import ArtefactError
from pipeline.maps.checksums import checksum
from pipeline.maps.files import Problem, StoreFiles
from pipeline.maps.header import StoreHeader
from pipeline.maps.index import MapIndex, MapShape
from pipeline.maps.layout import creating, index_sha256
from pipeline.maps.npy import map_table
from pipeline.maps.quantise import LARGEST_STORED, Stored

MEMBERS = "members.npy"
Sums = NDArray[np.uint32]
SourceDtype = Literal["uint8", "uint16"]


class Accumulator:
    """Weighted sums (uint32, CxHxW) of members' quantised maps, by id. See `create` and `open`."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files
        self._weights = dict(files.header.weights)
        self._column = {member: column for column, member in enumerate(self._weights)}
        # One row a map, one column a member; says nothing of a map that is not done.
        shape = (len(self.ids), len(self._weights))
        self._table = map_table(files.folder / MEMBERS, shape, np.uint8, writable=files.writable)
        # the checksum of a sum covers its list of members
        files.seed = lambda row: checksum(self._table[row].data, files.header.format)

    @classmethod
    def create(
        cls,
        folder: Path,
        shapes: Sequence[MapShape],
        classes: Sequence[str],
        weights: Mapping[str, int],
        *,
        fingerprint: str,
        dtype: SourceDtype = "uint8",
    ) -> Accumulator:
        """Sums to add to: new ones at zero, or existing ones to continue.

        `weights` (by member, in any order) times the largest number of `dtype`, that of the maps
        to be added, must fit uint32 together. Raises as `MapStore.create` does.
        """
        assert LARGEST_STORED[dtype] * sum(weights.values()) < 2**32, f"weights {dict(weights)}"
        index = MapIndex.of(shapes, len(classes))
        header = StoreHeader(
            kind="weighted sum",
            fingerprint=fingerprint,
            classes=tuple(classes),
            dtype="uint32",
            codec="raw",
            index_sha256=index_sha256(index.to_csv()),
            weights=dict(sorted(weights.items())),
            source_dtype=dtype,
        )
        files = StoreFiles.create(folder, header, index)
        with creating(folder):
            try:
                return cls(files)
            except ArtefactError:  # no table of members yet, or a damaged one
                files.forget(np.arange(len(shapes)))
                nobody = np.zeros((len(shapes), len(weights)), np.uint8)
                stream_atomic(folder / MEMBERS, lambda stream: np.save(stream, nobody))
                return cls(files)

    def __reduce__(self) -> tuple[Callable[..., Accumulator], tuple[Path, bool]]:
        """Travels to another process as its folder."""
        return _reopen, (self.folder, self._files.writable)

    @classmethod
    def open(cls, folder: Path) -> Accumulator:
        """Sums to read; ArtefactError if there are none."""
        files = StoreFiles(folder, writable=False)
        if files.header.kind != "weighted sum":
            raise ArtefactError(f"{folder} holds {files.header.kind} maps, not sums of them")
        return cls(files)

    @property
    def ids(self) -> list[str]:
        return self._files.index.ids

    @property
    def fingerprint(self) -> str:
        return self._files.header.fingerprint

    @property
    def content(self) -> str:
        """Changes with any byte of what is stored; the fingerprint says what it was made from."""
        return self._files.records.digest

    @property
    def folder(self) -> Path:
        return self._files.folder

    @property
    def source_dtype(self) -> SourceDtype:
        """The type of the numbers that are added."""
        assert self._files.header.source_dtype is not None
        return self._files.header.source_dtype

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        """Of all sums, in index order."""
        return self._files.index.shapes

    def __len__(self) -> int:
        return len(self.ids)

    def pending(self, member: str) -> list[str]:
        """The ids whose sums this member is not in yet, in index order."""
        inside = (self._table[:, self._column[member]] == 1) & self._files.done
        return [self.ids[row] for row in np.flatnonzero(~inside)]

    @property
    def is_complete(self) -> bool:
        return bool(self._files.done.all() and (self._table == 1).all())

    def claim(self, ids: Iterable[str]) -> AbstractContextManager[None]:
        """Be the only writer of these sums; ArtefactError with the pid of another one."""
        return self._files.claim(self._files.index.rows(ids))

    def add(self, maps: Mapping[str, Mapping[str, Stored]]) -> None:
        """Add a batch, {id: {member: its quantised map}}; on disk when this returns.

        Raises ArtefactError for another shape, a member that is in that sum already, a sum that
        was altered on disk, or if another process writes it.
        """
        rows = self._files.index.rows(maps)
        with self._files.owned(rows):
            for id, by_member in maps.items():
                self._check_fits(id, by_member)
            is_first = self._enter(rows, list(maps.values()))
            batch = list(maps.values())
            self._files.write(
                rows, lambda i: self._sum(int(rows[i]), batch[i], is_first=is_first[i])
            )

    def add_bands(self, id: str, member: str, bands: Iterable[Stored]) -> None:
        """`add` for the map of one member that comes in bands CxhxW, top to bottom.

        A sum whose bands stop half way is put back to zero, with no member in it.
        """
        row = self._files.index.row(id)
        rows = np.array([row])
        with self._files.owned(rows):
            (is_first,) = self._enter(rows, [[member]])
            sums = self._summed(row, member, bands, is_first=is_first)
            self._files.write_bands(row, sums)

    def read_sums(self, id: str) -> Sums:
        """The weighted sum of all members, CxHxW, as a view; ArtefactError until all are in."""
        row = self._files.index.row(id)
        sums = self._files.read(row)
        if not self._table[row].all():
            absent = [member for member, i in self._column.items() if not self._table[row, i]]
            raise ArtefactError(f"{', '.join(absent)} not in the sum of {id!r}; run `make infer`")
        return sums

    def verify(self) -> Iterator[Problem]:
        """Read every byte and name each sum that is missing, truncated or altered."""
        return self._files.verify()

    def reset(self, ids: Iterable[str]) -> None:
        """Put these sums back to zero, with no member in them."""
        rows = self._files.index.rows(ids)
        with self._files.owned(rows):
            self._files.forget(rows)

    def _sum(self, row: int, by_member: Mapping[str, Stored], *, is_first: bool) -> Sums:
        shape = self._files.index.shape(row)
        total = np.zeros(shape, np.uint32) if is_first else self._files.stored(row).copy()
        for member, values in by_member.items():
            total += np.multiply(values, np.uint32(self._weights[member]), dtype=np.uint32)
        return total

    def _summed(
        self, row: int, member: str, bands: Iterable[Stored], *, is_first: bool
    ) -> Iterator[Sums]:
        """The same sums, band by band."""
        weight, top = np.uint32(self._weights[member]), 0
        for band in bands:
            assert band.dtype == self._files.header.source_dtype, f"{member}: {band.dtype}"
            sums = np.multiply(band, weight, dtype=np.uint32)
            if not is_first:
                before = self._files.stored(row)[:, top : top + band.shape[1]]
                if before.shape == sums.shape:  # else the files say what does not fit
                    sums += before
            yield sums
            top += band.shape[1]

    def _enter(self, rows: NDArray[np.int64], members: Sequence[Iterable[str]]) -> list[bool]:
        """Put the sums of these rows back to not done, and these members of each on their lists;
        whether each was at zero. The sums themselves are written next.
        """
        before = self._table[rows] * self._files.done[rows, None]
        after = before.copy()
        for i, row in enumerate(rows.tolist()):
            self._check_new(row, members[i], before[i])
            after[i, [self._column[member] for member in members[i]]] = 1
        self._files.forget(rows)
        self._table[rows] = after
        self._table.flush()
        return [not each.any() for each in before]

    def _check_new(self, row: int, members: Iterable[str], before: NDArray[np.uint8]) -> None:
        if before.any() and not self._files.is_intact(row):
            raise self._files.mark_damaged(row)
        for member in members:
            if before[self._column[member]]:
                raise ArtefactError(f"{member} is in the sum of {self.ids[row]!r} already")

    def _check_fits(self, id: str, by_member: Mapping[str, Stored]) -> None:
        shape = self._files.index.shape(self._files.index.row(id))
        for member, values in by_member.items():
            assert values.dtype == self._files.header.source_dtype, f"{id}: {values.dtype}"
            if values.shape != shape:
                raise ArtefactError(
                    f"map of {id!r} by {member} is {values.shape} (CxHxW), and "
                    f"{self._files.folder} has room for {shape}"
                )


def _reopen(folder: Path, writable: bool) -> Accumulator:
    return Accumulator(StoreFiles(folder, writable=writable))
