"""Values by id, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

Item = TypeVar("Item")


class ById(Mapping[str, Item]):
    """A read-only mapping that keeps no value; KeyError for an id that it does not have."""

    def __init__(self, ids: Iterable[str], read: Callable[[str], Item]) -> None:
        self._ids = dict.fromkeys(ids)
        self._read = read

    def __getitem__(self, id: str) -> Item:
        if id not in self._ids:
            raise KeyError(id)
        return self._read(id)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
