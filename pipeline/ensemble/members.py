"""The members of a blend: map stores that must agree before their numbers are mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ArtefactError


class MemberMaps(Protocol):
    """The part of a map store that a blend uses (`maps.MapStore` has it)."""

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def dtype(self) -> str: ...

    @property
    def ids(self) -> list[str]: ...

    def shape(self, id: str) -> tuple[int, int, int]: ...

    def pending(self) -> list[str]: ...

    def read_raw(self, id: str) -> NDArray[Any]: ...


def check_members(members: Mapping[str, MemberMaps], ids: Iterable[str]) -> None:
    """Raise ArtefactError, naming both sides, unless members have compatible maps of all ids.

    Classes and their order, stored type and size must be equal; ids are matched by value, so their
    order in a store does not matter.
    """
    if not members:
        raise ArtefactError("a blend needs at least one member; run `make infer`")
    wanted = list(ids)
    (first, reference), *others = members.items()
    for name, member in members.items():
        _check_complete(name, member, wanted)
    for name, member in others:
        _check_equal("classes", first, list(reference.classes), name, list(member.classes))
        _check_equal("stored as", first, reference.dtype, name, member.dtype)
        for id in wanted:
            _check_equal(f"map of {id!r}", first, reference.shape(id), name, member.shape(id))


def reader_of(members: Mapping[str, MemberMaps]) -> Callable[[str], list[NDArray[Any]]]:
    """A function from an id to each member's stored map CHW, in the members' order."""
    stores = list(members.values())
    return lambda id: [np.asarray(store.read_raw(id)) for store in stores]


def histogram_of(member: MemberMaps, ids: Iterable[str]) -> NDArray[np.int64]:
    """How often each stored number (float16 by its bits) occurs, int64 (codes,); for rank means."""
    counts = np.zeros(256 if member.dtype == "uint8" else 65536, np.int64)
    for id in ids:
        values = np.ascontiguousarray(member.read_raw(id)).reshape(-1)
        counts += np.bincount(values.view(f"u{values.itemsize}"), minlength=len(counts))
    return counts


def _check_complete(name: str, member: MemberMaps, wanted: list[str]) -> None:
    pending = set(member.pending())
    missing = sorted(set(wanted) - set(member.ids)) or [id for id in wanted if id in pending]
    if missing:
        raise ArtefactError(
            f"{name} has no map of {len(missing)} of {len(wanted)} images, e.g. {missing[0]!r}; "
            "run `make infer` for all its folds"
        )


def _check_equal(what: str, first: str, reference: Any, name: str, value: Any) -> None:
    if value != reference:
        raise ArtefactError(
            f"{what}: {first} has {reference}, {name} has {value}; maps that differ cannot be "
            "blended, run `make infer` again for one of them"
        )
