"""Proposes the keys of the `data` block."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.config.bands import COLOURS
from pipeline.data.listing import listed
from pipeline.proposal.classes import propose_classes
from pipeline.proposal.families import Family
from pipeline.proposal.findings import Alternative, Found
from pipeline.proposal.layout import Layout
from pipeline.proposal.readings import Reading
from pipeline.proposal.words import is_role, roles_of

MOST_MASKS = 300
"""That are read for their values."""
_MOST_DROPPED = 20


def propose_sources(layout: Layout, order: str) -> Iterator[Found]:
    """`images`, `masks`, `test` and references."""
    yield _images(layout)
    yield _masks(layout, order)
    yield _test(layout)
    if layout.reference is not None:
        count = len(layout.reference.ids.keys() & layout.images.ids.keys())
        why = f"{count} of {len(layout.images.ids)} images have one of this name, of the same thing"
        yield Found("reference", layout.reference.pattern, why, "likely")
        if layout.test_reference is not None:
            why = f"{len(layout.test_reference.ids)} files"
            yield Found("test_reference", layout.test_reference.pattern, why, "likely")


def propose_bands(layout: Layout) -> Iterator[Found]:
    """`bands`, `volume` and `stack` of volumes."""
    volumes = layout.volumes
    if volumes is None:
        return
    several = f"{volumes.bands} channels of {volumes.dtype}: give them their names"
    names, why = ["gray"], f"one channel of {volumes.dtype}, read as it is"
    if volumes.bands > 1:
        colours = volumes.bands == len(COLOURS) and volumes.dtype == "uint8"
        names = [f"band{number}" for number in range(1, volumes.bands + 1)]
        names, why = list(COLOURS) if colours else names, several
    yield Found("bands", names, why, "sure" if volumes.bands == 1 else "likely")
    counts = " to ".join(dict.fromkeys(map(str, volumes.slices[:1] + volumes.slices[-1:])))
    along = Alternative({"axis": "Y"}, "to slice across, where voxels are cubes")
    why = f"slices are {volumes.kind}: {counts or 'an unknown number'} a volume"
    yield Found("volume", {}, why, volumes.sureness, (along,))
    why = "networks see the slices above and below; without this key, one slice alone"
    wider = Alternative({"neighbours": [-2, -1, 0, 1, 2]}, "for thin slices")
    yield Found("stack", {"neighbours": [-1, 0, 1]}, why, "likely", (wider,))


def propose_values(layout: Layout) -> Iterator[Found]:
    """`classes`, `multiclass` and `void`."""
    if layout.pair is None:
        assert layout.rows is not None
        names = list(layout.rows.classes)
        if names:
            yield Found("classes", names, f"{layout.rows.table.path} names them")
        else:
            yield Found("classes", ["object"], "rows name no class: one class")
        return
    masks = layout.pair.masks
    if masks.classes:
        what = "folders" if "{class}/" in masks.pattern else "files"
        yield Found("classes", list(masks.classes), f"{what} of the masks are called so")
        return
    look = layout.reader.look(masks.family.sample(MOST_MASKS))
    if "*" in masks.pattern.rpartition("/")[2] and not masks.one_each:
        yield Found("classes", ["object"], "one mask file an object: one class")
        return
    part = f" ({look.files} of {len(masks.family.places)} were read: more values may occur)"
    for each in propose_classes(look, class_name(masks.family)):
        is_partial = each.key == "classes" and look.files < len(masks.family.places)
        yield Found(
            each.key, each.value, each.why + part * is_partial, each.sureness, each.alternatives
        )


def class_name(family: Family) -> str:
    """A name for the only class, where the files say one: `car_masks` is of cars."""
    for text in (*(each for each in family.folders[::-1] if each), family.tail):
        words = [each for each in re.split(r"[^a-zA-Z]+", text) if each and not is_role(each)]
        if "mask" in roles_of(text) and len(words) == 1 and len(words[0]) > 2:
            return words[0].lower()
    return "object"


def _images(layout: Layout) -> Found:
    images = layout.images
    if layout.pair is None:
        rows = layout.rows
        assert rows is not None
        named = len({*rows.keys.ids} - {""})
        why = f"{len(images.ids)} files, {rows.table.path} names {named} of them or more"
        return Found("images", images.pattern, f"{why}{rows.keys.said_share}{_spelling(images)}")
    matched = layout.pair.matched
    if matched == len(images.ids):
        return Found(
            "images", images.pattern, f"{matched} files, each has masks{_spelling(images)}"
        )
    why = f"{len(images.ids)} files, {matched} of them have masks{_spelling(images)}"
    return Found("images", images.pattern, why, "likely")


def _masks(layout: Layout, order: str) -> Found:
    table = layout.rows.source(order) if layout.rows else None
    if layout.pair is None:
        rows = layout.rows
        assert rows is not None
        zero = "; starts count from 0, and must count from 1: add 1 to each" * rows.starts_at_zero
        kind = "a row an object" if rows.has_objects else "run lengths by image"
        return Found("masks", table, f"{kind}{' and class' * bool(rows.classes)}{zero}")
    masks = layout.pair.masks
    kind = "one file an image" if masks.one_each else "several files an image"
    if "{class}" in masks.pattern:
        kind = "one file a class"
    elif not masks.one_each and masks.pattern.count("*"):
        kind = "one file an object"
    more = [Alternative(each.masks.pattern, f"{each.matched} match, too") for each in layout.others]
    if table:
        more.insert(0, Alternative(table, "the same masks as run lengths"))
    why = f"{kind}, {layout.pair.matched} images have masks{_spelling(masks)}"
    sureness = "likely" if layout.others else "sure"
    return Found("masks", masks.pattern, why, sureness, tuple(more[:4]))  # type: ignore[arg-type]


def _test(layout: Layout) -> Found:
    test = layout.test
    if test is None:
        why = "no folder of test images was found, so there is cross-validation only"
        example = Alternative("test/{id}.png", "where they are, once there are some")
        return Found("test", None, why, "guess", (example,))
    why = f"{len(test.ids)} files{_spelling(test)}"
    if layout.sample is not None:
        return Found("test", test.pattern, f"{why}, which {layout.sample.table.path} asks for")
    return Found("test", test.pattern, f"{why}; no sample submission names them", "likely")


def propose_drop(layout: Layout) -> Found | None:
    """Images without masks, to be left out by hand: absence is not emptiness."""
    if layout.pair is None:
        return None
    missing = sorted(layout.images.ids.keys() - layout.pair.masks.ids.keys())
    if not missing:
        return None
    why = f"{len(missing)} image(s) have no mask: {listed(missing, most=3)}; `check` refuses them"
    if len(missing) <= _MOST_DROPPED:
        left = Alternative(missing, "to train without them")
        return Found("drop", [], why, "sure", (left,), is_said=False)
    ways = (
        Alternative("drop", "to train without them"),
        Alternative("empty", "where nothing is on them"),
    )
    return Found("without_mask", "error", why, "sure", ways)


def _spelling(reading: Reading) -> str:
    endings = reading.family.suffixes
    if len(endings) < 2:
        return ""
    return f" (endings: {', '.join(f'{count} {end}' for end, count in endings.most_common(4))})"
