"""Glues the shards of a store: complete stores of some of its maps each, in folders of their own.

A machine of a cluster writes whole shards, so that no two of them write to one file: network disks
write whole pages, and would put back what another machine has just written (the NFS client widens
a write to its page; a memory map is flushed by pages anyway). `shards.json` says which shard holds
each map, and is written last. A store without it is one file, and its only part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ArtefactError
from pipeline.manifests import read_manifest, write_manifest
from pipeline.maps.files import Problem, StoreFiles
from pipeline.maps.index import MapShape
from pipeline.maps.layout import HEADER

SHARDS = "shards.json"


@dataclass(frozen=True)
class Sharding:
    """Which shard holds each map."""

    ids: list[str]
    """Of all maps, in index order."""
    shard: list[int]
    """The number of each one's shard."""

    @classmethod
    def of(cls, ids: Sequence[str], shards: Sequence[Sequence[str]]) -> Sharding:
        """Of shards that hold these ids, each in one of them."""
        number = {each: number for number, some in enumerate(shards) for each in some}
        return cls(list(ids), [number[each] for each in ids])

    @property
    def numbers(self) -> list[int]:
        return sorted(set(self.shard))

    def of_shard(self, number: int) -> set[str]:
        return {each for each, place in zip(self.ids, self.shard, strict=True) if place == number}

    def write(self, folder: Path, fingerprint: str) -> None:
        """Declare a store of these shards; call it when all of them are laid out."""
        write_manifest(folder / SHARDS, fingerprint, **asdict(self))


def read_sharding(folder: Path) -> Sharding | None:
    """None where the store is no store of shards; ArtefactError if that cannot be known."""
    path = folder / SHARDS
    if not path.exists():
        return None
    try:
        found = TypeAdapter(Sharding).validate_python(read_manifest(path))
    except ValidationError:
        found = None
    if found is None or not found.ids or len(found.ids) != len(found.shard):
        raise ArtefactError(f"{path} is damaged; run `make infer`")
    return found


def shard_folder(folder: Path, number: int) -> Path:
    return folder / f"shard{number:05}"


class Parts:
    """The files of a store: one part, or shards. Rows are in the order of all ids."""

    def __init__(self, folder: Path, files: Sequence[StoreFiles], order: Sequence[str]) -> None:
        """order: the ids of all shards, in index order; of a store of one file it has its own."""
        self.folder, self.files = folder, tuple(files)
        self._sorted = order
        first = self.files[0].header
        for each in self.files[1:]:
            difference = first.difference(each.header)
            if difference and "list of images" not in difference:
                raise ArtefactError(f"{each.folder} is of another run ({difference}); run make")
        held = [each for files in self.files for each in files.index.ids]
        if self.is_sharded and (len(held) != len(order) or set(held) != set(order)):
            raise ArtefactError(
                f"{folder / SHARDS} names other maps than its shards hold; run `make infer`"
            )

    @classmethod
    def open(cls, folder: Path, *, writable: bool, some: Iterable[int] | None = None) -> Parts:
        """some: the numbers of the only shards that are wanted. ArtefactError if it is no store."""
        sharding = read_sharding(folder)
        if sharding is None:
            return cls(folder, [StoreFiles(folder, writable=writable)], ())
        numbers = sharding.numbers if some is None else list(some)
        files = [StoreFiles(shard_folder(folder, each), writable=writable) for each in numbers]
        wanted = set(numbers)
        pairs = zip(sharding.ids, sharding.shard, strict=True)
        return cls(folder, files, [each for each, number in pairs if number in wanted])

    @property
    def writable(self) -> bool:
        return self.files[0].writable

    @property
    def is_sharded(self) -> bool:
        return self.files[0].folder != self.folder

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """Of the shards that are open; None for a store of one file."""
        if not self.is_sharded:
            return None
        return tuple(int(each.folder.name.removeprefix("shard")) for each in self.files)

    def place(self, id: str) -> tuple[StoreFiles, int]:
        """The part that holds that map, and its row there."""
        if len(self.files) == 1:
            return self.files[0], self.files[0].index.row(id)
        files = self._holder.get(id, self.files[0])  # which names an id that is nowhere
        return files, files.index.row(id)

    def by_part(self, ids: Iterable[str]) -> Iterator[tuple[StoreFiles, list[str]]]:
        """These ids, those of each part together."""
        if len(self.files) == 1:
            yield self.files[0], list(ids)
            return
        found: dict[StoreFiles, list[str]] = {}
        for each in ids:
            found.setdefault(self.place(each)[0], []).append(each)
        yield from found.items()

    def claim(self, ids: Iterable[str]) -> AbstractContextManager[object]:
        """Be the only writer of these maps; ArtefactError with the pid of another one."""
        claims = ExitStack()
        try:
            for files, some in self.by_part(ids):
                claims.enter_context(files.claim(files.index.rows(some)))
        except BaseException:
            claims.close()
            raise
        return claims

    @property
    def done(self) -> NDArray[np.bool_]:
        """The maps that are done, in the order of `ids`."""
        if not self.is_sharded:
            return self.files[0].done
        done: NDArray[np.bool_] = np.concatenate([each.done for each in self.files])[self._order]
        return done

    @cached_property
    def ids(self) -> list[str]:
        """In index order."""
        return list(self._sorted) if self.is_sharded else self.files[0].index.ids

    @property
    def shapes(self) -> tuple[MapShape, ...]:
        """In the order of `ids`."""
        if not self.is_sharded:
            return self.files[0].index.shapes
        every = [each for files in self.files for each in files.index.shapes]
        return tuple(every[place] for place in self._order.tolist())

    @property
    def digest(self) -> str:
        """That of one file which holds the same maps."""
        if not self.is_sharded:
            return self.files[0].records.digest
        records = np.concatenate([each.records.table for each in self.files])[self._order]
        return hashlib.sha256(records.tobytes()).hexdigest()[:24]

    def verify(self) -> Iterator[Problem]:
        """Read every byte and name each map that is missing, truncated or altered."""
        for each in self.files:
            yield from each.verify()

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Where each map is in the rows of all parts, one after another."""
        every = (each for files in self.files for each in files.index.ids)
        place = {each: number for number, each in enumerate(every)}
        return np.array([place[each] for each in self._sorted], np.int64)

    @cached_property
    def _holder(self) -> dict[str, StoreFiles]:
        return {each: files for files in self.files for each in files.index.ids}


def create_parts(
    folder: Path,
    shapes: Sequence[MapShape],
    shards: Sequence[Sequence[str]],
    fingerprint: str,
    lay_out: Callable[[Path, Sequence[MapShape]], StoreFiles],
) -> Parts:
    """The parts of a store to write to: those that are there, or else these shards, or one file.

    lay_out: makes the files of some maps in a folder. Raises ArtefactError for another store.
    """
    ids = [shape.id for shape in shapes]
    sharding = read_sharding(folder)
    if sharding is None and ((folder / HEADER).exists() or len(shards) < 2):
        return Parts(folder, [lay_out(folder, shapes)], ())
    if sharding is not None and sharding.ids != ids:
        raise ArtefactError(f"{folder} holds maps of another run: other images or another order")
    chosen = sharding or Sharding.of(ids, shards)
    files = []
    for number in chosen.numbers:
        mine = chosen.of_shard(number)
        some = [shape for shape in shapes if shape.id in mine]
        files.append(lay_out(shard_folder(folder, number), some))
    if sharding is None:
        chosen.write(folder, fingerprint)
    return Parts(folder, files, ids)
