"""The order of images in their stacks, from their ids."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pipeline.data.listing import listed
from pipeline.errors import DataError


@dataclass(frozen=True)
class Place:
    """Where an image lies."""

    stack: str
    position: int


def is_placed(sample_id: str, order: tuple[str, str]) -> bool:
    """True for an id that says its stack and its position."""
    return _place(sample_id, order) is not None


def ids_by_stack(ids: Iterable[str], order: tuple[str, str]) -> dict[str, list[str]]:
    """stack → its ids, by position. order: `data.order`."""
    return {
        stack: [each for some in places.values() for each in some]
        for stack, places in Stacks.of(ids, order).ids.items()
    }


def _place(sample_id: str, order: tuple[str, str]) -> Place | None:
    stack, position = (re.search(pattern, sample_id) for pattern in order)
    number = position[1] if position is not None else None
    if stack is None or stack[1] is None or not re.fullmatch(r"[+-]?\d{1,18}", number or ""):
        return None
    return Place(stack[1], int(number or 0))


@dataclass(frozen=True)
class Stacks:
    """The places of images, by id."""

    places: Mapping[str, Place]

    @classmethod
    def of(cls, ids: Iterable[str], order: tuple[str, str]) -> Stacks:
        """order: `data.order`.

        DataError names ids of which the patterns capture no stack or no whole number.
        """
        places, lost = {}, []
        for each in ids:
            place = _place(each, order)
            if place is None:
                lost.append(each)
            else:
                places[each] = place
        if lost:
            raise DataError(
                f"data.stack: no stack, or no position that is a whole number, in {listed(lost)}"
            )
        return cls(places)

    @cached_property
    def ids(self) -> dict[str, dict[int, list[str]]]:
        """stack → position → the ids there, the positions ascending."""
        found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for each, place in sorted(self.places.items(), key=lambda item: item[1].position):
            found[place.stack][place.position].append(each)
        return found

    def neighbour(self, sample_id: str, offset: int, *, repeat: bool) -> str | None:
        """The id so many positions further on; where there is none, None, or with `repeat` that of
        the nearest position towards the image.
        """
        place = self.places[sample_id]
        stack, step = self.ids[place.stack], -1 if offset > 0 else 1
        for left in range(offset, step, step) if repeat else (offset,):
            if found := stack.get(place.position + left):
                return sample_id if left == 0 else found[0]
        return None
