"""Which family holds the images, and which their masks, test images and references."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.data.name_patterns import as_regex
from pipeline.proposal.families import Family
from pipeline.proposal.looks import Look, Reader
from pipeline.proposal.readings import Reading, readings_of

MOST_FAMILIES = 40
"""The largest ones are looked at."""
_FILES = 3  # of a family, to see what it holds
_HALF = 0.5


@dataclass(frozen=True)
class Pair:
    """Images and the masks of the same ids."""

    images: Reading
    masks: Reading
    matched: int


class Families:
    """The families of a folder, with what their names and a few of their files say."""

    def __init__(self, families: Sequence[Family], reader: Reader) -> None:
        self.all = list(families)[:MOST_FAMILIES]
        self.looks = {id(each): reader.look(each.sample(_FILES)) for each in self.all}

    def look(self, family: Family) -> Look:
        return self.looks[id(family)]

    def is_mask(self, family: Family) -> bool:
        """By its names, or, where these are silent, by its pixels."""
        if "mask" in family.roles:
            return True
        named = family.roles & {"image", "reference", "test", "train"}
        return not ("image" in named or "reference" in named) and self.look(family).is_mask

    @cached_property
    def images(self) -> list[Reading]:
        """Readings of all families that may be images, with one file an id. Images may look like
        masks: photos of circuits that were made black and white do.
        """
        return [
            reading
            for family in self.all
            if not family.roles & {"mask", "reference", "hidden"}
            for reading in readings_of(family)
            if reading.one_each and "{class}" not in reading.pattern
        ]

    @cached_property
    def masks(self) -> list[Reading]:
        return [
            reading
            for family in self.all
            if self.is_mask(family)
            for reading in readings_of(family)
        ]


def find_pair(families: Families) -> Pair | None:
    """The images and masks that most ids share, those for training first."""
    return max(_pairs(families), key=lambda pair: _worth(pair, families), default=None)


def other_masks(pair: Pair, families: Families) -> list[Pair]:
    """Other families with masks of the same images, the likeliest first; one reading of each."""
    best: dict[int, Pair] = {}
    for each in _pairs(families):
        if each.images is not pair.images or each.masks.family is pair.masks.family:
            continue
        if each.matched < _HALF * len(pair.images.ids):
            continue
        known = best.get(id(each.masks.family))
        if known is None or _worth(each, families) > _worth(known, families):
            best[id(each.masks.family)] = each
    return sorted(best.values(), key=lambda each: _worth(each, families), reverse=True)


def _pairs(families: Families) -> Iterator[Pair]:
    for images in families.images:
        for masks in families.masks:
            if _overlap(images.family, masks.family) or {*masks.classes} & {*images.family.folders}:
                continue  # what images are sorted by, too, is no class
            shared = len(images.ids.keys() & masks.ids.keys())
            if shared >= max(1, _HALF * min(len(images.ids), len(masks.ids))):
                yield Pair(images, masks, shared)


def _worth(pair: Pair, families: Families) -> tuple[object, ...]:
    """What speaks for a pair, the strongest first."""
    roles = pair.images.family.roles | pair.masks.family.roles
    look = families.look(pair.masks.family)
    taken = sum(len(pair.masks.ids[each]) for each in pair.masks.ids.keys() & pair.images.ids)
    left = len(pair.images.ids) + len(pair.masks.family.places) - pair.matched - taken
    return (
        not roles & {"test", "valid", "hidden"},
        "mask" in pair.masks.family.roles,
        not families.look(pair.images.family).is_mask,
        pair.matched,
        bool(look.drawings and not look.coloured and not look.problems),
        len(look.pixels) != 1,
        -len(look.pixels),
        pair.masks.one_each,
        -left,
        pair.images.is_plain + pair.masks.is_plain,
        -pair.masks.pattern.count("*"),
        "train" in roles,
        pair.masks.pattern,
    )


def find_images(families: Families, wanted: Collection[str]) -> Reading | None:
    """Images of the ids that a table of masks names."""
    ids = set(wanted)
    found = [(len(ids & each.ids.keys()), each) for each in families.images]
    likely = [
        (count, "test" not in each.family.roles, each.is_plain, each)
        for count, each in found
        if count
    ]
    return max(likely, key=lambda each: each[:3], default=(0, 0, 0, None))[3]


def find_test(
    images: Reading, families: Families, masks: Reading | None, asked: Collection[str]
) -> Reading | None:
    """The test images: those that a sample submission asks for, or that are called so."""
    taken = {id(images.family), id(masks.family) if masks else 0}
    wanted = set(asked)
    found = []
    for each in families.images:
        if id(each.family) in taken or _overlap(each.family, images.family):
            continue
        answers = sum(1 for key in wanted if key in each.ids)
        if answers or "test" in each.family.roles:
            alike = _shape(each) == _shape(images)
            photos = not families.look(each.family).is_mask
            found.append(((answers, photos, alike, each.is_plain, len(each.ids)), each))
    return max(found, key=lambda each: each[0])[1] if found else None


def _overlap(one: Family, other: Family) -> bool:
    return one.folders == other.folders and bool({*one.places} & {*other.places})


def _shape(reading: Reading) -> tuple[object, ...]:
    last = reading.pattern.rpartition("/")[2]
    return last, len(reading.family.folders)


def find_reference(images: Reading, families: Families, *, test: bool) -> Reading | None:
    """Images of other content with the ids of `images`, in a folder called so."""
    found = [
        (shared, each.is_plain, ("test" in family.roles) == test, each)
        for family in families.all
        if "reference" in family.roles and not families.is_mask(family)
        for each in readings_of(family)
        if each.one_each and (shared := len(each.ids.keys() & images.ids.keys()))
    ]
    best = max(found, key=lambda each: each[:3], default=None)
    return best[3] if best and best[0] >= _HALF * len(images.ids) else None


def also_taken(reading: Reading, families: Families) -> Family | None:
    """Another family in the same folders that the pattern would take, too."""
    wanted = re.compile(as_regex(reading.pattern))
    for each in families.all:
        apart = each.folders == reading.family.folders and not _overlap(each, reading.family)
        if apart and any(wanted.fullmatch(path) for path in each.sample(_FILES)):
            return each
    return None
