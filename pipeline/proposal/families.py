"""Families of image files: the same folders, endings of one kind, and the same affix of a role."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.checks.unreached_files import spelled
from pipeline.proposal.folders import Place, Template, places_by_template
from pipeline.proposal.tree import Tree
from pipeline.proposal.words import Role, is_detail, is_role, roles_of

_SEPARATOR = re.compile(r"([_\-. ])")
_MOST_AFFIXES = 12  # kinds of files of one image
_FIXED_NAMES = 6  # files of one folder that stand for one image
_IN_EACH = 0.6  # share of such folders that have a name


@dataclass(frozen=True)
class Family:
    """Files that one pattern can take. `head` and `tail` are around the id where others have
    another affix in the same folders, so that a pattern needs them."""

    folders: Template
    places: tuple[Place, ...]
    head: str = ""
    tail: str = ""

    @cached_property
    def suffixes(self) -> Counter[str]:
        """Endings as they are spelled, with the number of files."""
        return Counter(ending_of(each.name) for each in self.places)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        return tuple(stem_of(each.name) for each in self.places)

    @cached_property
    def roles(self) -> frozenset[Role]:
        """What the names of folders and affixes speak of."""
        texts = [*(each for each in self.folders if each), self.head, self.tail]
        own = frozenset(role for text in texts for role in roles_of(text))
        fixed = set(self.stems)
        return own | (roles_of(fixed.pop()) if len(fixed) == 1 else frozenset())

    @property
    def pattern(self) -> str:
        """For people: where the files are."""
        folders = ["*" if each is None else each for each in self.folders]
        ending = next(iter(self.suffixes)) if len(self.suffixes) == 1 else ".*"
        return "/".join([*folders, f"{self.head}*{self.tail}{ending}"])

    def path_of(self, place: Place) -> str:
        """The path of one file below the root."""
        varying = iter(place.varying)
        parts = [next(varying) if each is None else each for each in self.folders]
        return "/".join([*parts, place.name])

    def sample(self, most: int) -> list[str]:
        """Paths of up to `most` files, evenly spread."""
        step = max(1, len(self.places) // most)
        return [self.path_of(each) for each in self.places[::step][:most]]


def stem_of(name: str) -> str:
    return name.rpartition(".")[0]


def ending_of(name: str) -> str:
    return name[len(stem_of(name)) :]


def families_of(tree: Tree) -> list[Family]:
    """All families, the largest first; those that differ in their ending also as one."""
    families: list[Family] = []
    for template, places in places_by_template(tree.images).items():
        by_ending: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            by_ending[spelled(ending_of(place.name))].append(place)
        split = [
            part for some in by_ending.values() for part in _split(Family(template, tuple(some)))
        ]
        families += [*split, *_mixed(split)]
    return sorted(families, key=lambda each: (-len(each.places), each.pattern))


def _mixed(split: Sequence[Family]) -> list[Family]:
    """Families of several endings as one, where no id is in two of them."""
    by_affix: dict[tuple[str, str], list[Family]] = defaultdict(list)
    for each in split:
        by_affix[each.head, each.tail].append(each)
    found = []
    for some in by_affix.values():
        ids = {(each.varying, stem_of(each.name)) for family in some for each in family.places}
        if len(some) > 1 and len(ids) == sum(len(each.places) for each in some):
            places = tuple(place for each in some for place in each.places)
            found.append(replace(some[0], places=places))
    return found


def _split(family: Family) -> list[Family]:
    """A family by the names, or the affixes, that say what its files are."""
    return _by_fixed_name(family) or _by_affix(family) or [family]


def _by_fixed_name(family: Family) -> list[Family]:
    """Folders of one image each hold a few files of the same names: `layer`, `inklabels`."""
    names = Counter(family.stems)
    folders = len({each.varying for each in family.places})
    if not 1 < len(names) <= _FIXED_NAMES or folders < 2 or "mask" in family.roles:
        return []
    if min(names.values()) < _IN_EACH * folders or any(each.isdecimal() for each in names):
        return []
    return [_only(family, {name}) for name in names]


def _by_affix(family: Family) -> list[Family]:
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for stem in family.stems:
        groups[_affix(stem)].add(stem)
    large = [affix for affix, stems in groups.items() if len(stems) > 1]
    if len(large) < 2 or len(groups) > _MOST_AFFIXES:
        return []
    return [
        replace(_only(family, stems), head=head, tail=tail)
        for (head, tail), stems in groups.items()
    ]


def _only(family: Family, stems: set[str]) -> Family:
    places = tuple(each for each in family.places if stem_of(each.name) in stems)
    return replace(family, places=places)


def _affix(stem: str) -> tuple[str, str]:
    """The words of a role before and behind an id: `_mask`, `_gtFine_color`, `img_`."""
    words = _SEPARATOR.split(stem)  # every second one is a separator
    last = len(words)
    for at in range(len(words) - 1, 0, -2):
        if not is_detail(words[at]):
            break
        last = at - 1 if is_role(words[at]) else last
    first = 0
    while first < last - 1 and is_role(words[first]):
        first += 2
    return "".join(words[:first]), "".join(words[last:])


def likely_affixes(stems: Sequence[str]) -> list[tuple[str, str]]:
    """What may stand around the ids of all stems: words of a role, or whatever they share."""
    of_role = {_affix(each) for each in stems}
    head, tail = _common_affix(stems)
    return [*(of_role if len(of_role) == 1 else ()), ("", tail), (head, ""), (head, tail)]


def _common_affix(stems: Sequence[str]) -> tuple[str, str]:
    """What all stems begin and end with, whole words only, and without the digits of an id."""
    if len(set(stems)) < 2:
        return "", ""
    first, last = min(stems), max(stems)
    head = _common_start(first, last)
    backwards = sorted(stem[len(head) :][::-1] for stem in stems)
    tail = _common_start(backwards[0], backwards[-1])[::-1]
    cut = _SEPARATOR.search(tail)
    whole = _SEPARATOR.split(head)
    return "".join(whole[:-1]), tail[cut.start() :] if cut else ""


def _common_start(one: str, other: str) -> str:
    at = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1), None
    )
    return one[: min(len(one), len(other)) if at is None else at]
