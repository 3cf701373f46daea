"""The ways to read the ids of a family: which part of a path is `{id}`, and which `{class}`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipeline.proposal.families import Family, likely_affixes, stem_of
from pipeline.proposal.folders import Place

_MOST_CLASSES = 100
_UNIQUE = 0.9


@dataclass(frozen=True)
class Reading:
    """A pattern, and the files that it takes."""

    family: Family = field(repr=False)
    pattern: str
    ids: dict[str, list[Place]] = field(repr=False)
    head: str = ""
    tail: str = ""
    """What the file's name has around the id."""
    classes: tuple[str, ...] = ()

    @property
    def one_each(self) -> bool:
        """True if no id has two files."""
        return len(self.ids) == len(self.family.places)

    @property
    def is_plain(self) -> bool:
        """True if nothing is cut from names but what must be."""
        return (self.head, self.tail) == (self.family.head, self.family.tail)


def readings_of(family: Family) -> Iterator[Reading]:
    """All readings of a family, the plainest first."""
    affixes = [(family.head, family.tail)]
    if not (family.head or family.tail):
        affixes += likely_affixes(family.stems)
    for head, tail in dict.fromkeys(affixes):
        yield from _by_stem(family, head, tail)
    for position in range(family.folders.count(None)):
        yield _by_folder(family, position)


def _by_stem(family: Family, head: str, tail: str) -> Iterator[Reading]:
    def id_of(place: Place) -> str:
        stem = stem_of(place.name)
        return stem[len(head) : len(stem) - len(tail)]

    ids = _grouped(family, id_of)
    if "" in ids:
        return
    varying = [
        _folder_word(family, position, ids) for position in range(family.folders.count(None))
    ]
    name = f"{head}{{id}}{tail}{_ending(family)}"
    pattern = _pattern(family, varying, name)
    yield Reading(family, pattern, ids, head, tail, _classes(family, varying))


def _folder_word(family: Family, position: int, ids: dict[str, list[Place]]) -> str:
    """What a folder that varies is called in the pattern, where the file's name holds the id."""
    if all(place.varying[position] == each for each, some in ids.items() for place in some):
        return "{id}"
    names = {place.varying[position] for place in family.places}
    repeated = len(ids) < _UNIQUE * len(family.places) or len(family.places) < 3
    return "{class}" if repeated and len(names) <= _MOST_CLASSES else "*"


def _by_folder(family: Family, position: int) -> Reading:
    ids = _grouped(family, lambda place: place.varying[position])
    words = ["{id}" if at == position else "*" for at in range(family.folders.count(None))]
    names = Counter(family.stems)
    classes: tuple[str, ...] = ()
    if len(names) == 1:
        word = next(iter(names))
    elif _are_classes(names, len(ids)):
        word, classes = "{class}", tuple(sorted(names))
    else:
        word = f"{family.head}*{family.tail}"
    return Reading(
        family, _pattern(family, words, f"{word}{_ending(family)}"), ids, classes=classes
    )


def _are_classes(names: Counter[str], folders: int) -> bool:
    few = len(names) <= min(_MOST_CLASSES, max(2, folders))
    return few and not any(each.isdecimal() for each in names) and max(names.values()) > 1


def _classes(family: Family, varying: list[str]) -> tuple[str, ...]:
    if "{class}" not in varying:
        return ()
    at = varying.index("{class}")
    return tuple(sorted({place.varying[at] for place in family.places}))


def _grouped(family: Family, id_of: Callable[[Place], str]) -> dict[str, list[Place]]:
    ids: dict[str, list[Place]] = defaultdict(list)
    for place in family.places:
        ids[id_of(place)].append(place)
    return dict(ids)


def _ending(family: Family) -> str:
    return next(iter(family.suffixes)) if len(family.suffixes) == 1 else ".*"


def _pattern(family: Family, varying: list[str], name: str) -> str:
    words = iter(varying)
    return "/".join([next(words) if each is None else each for each in family.folders] + [name])
