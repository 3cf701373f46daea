"""The parts of a folder of data: images, masks, test images, references, tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.listing import listed
from pipeline.errors import DataError
from pipeline.proposal.families import families_of
from pipeline.proposal.keys import Ids
from pipeline.proposal.looks import Reader
from pipeline.proposal.nothing_found import nothing_found
from pipeline.proposal.pairs import (
    Families,
    Pair,
    also_taken,
    find_pair,
    find_reference,
    find_test,
    other_masks,
)
from pipeline.proposal.readings import Reading
from pipeline.proposal.run_tables import MaskRows, find_mask_rows
from pipeline.proposal.samples import Sample, find_sample, keys_of_samples
from pipeline.proposal.tables import Table, tables_of
from pipeline.proposal.tree import Tree, list_tree
from pipeline.proposal.volume_looks import VolumeReader, Volumes
from pipeline.proposal.volume_tree import as_stored, volume_tree

_OPENED = 20  # volumes, for the number of their slices


@dataclass(frozen=True)
class Layout:
    """What was found below a folder. There are images, and masks as files, as rows, or both."""

    tree: Tree
    families: Families
    reader: Reader
    tables: tuple[Table, ...]
    problems: tuple[str, ...]
    images: Reading
    pair: Pair | None
    others: tuple[Pair, ...]
    rows: MaskRows | None
    test: Reading | None
    sample: Sample | None
    reference: Reading | None
    test_reference: Reading | None
    volumes: Volumes | None = None
    """Where images are slices of volumes, of which the readings have the names."""

    @property
    def unused(self) -> list[str]:
        """Families that no pattern takes, for people."""
        parts = (self.images, self.pair and self.pair.masks, self.test)
        read = [each for each in (*parts, self.reference, self.test_reference) if each]
        taken = {(each.family.folders, place) for each in read for place in each.family.places}
        shown: dict[str, int] = {}
        for family in self.families.all:
            left = [each for each in family.places if (family.folders, each) not in taken]
            if left and len(left) == len(family.places) and len(family.suffixes) == 1:
                shown[as_stored(family.pattern)] = len(left)
        return [f"{pattern} ({count} file(s))" for pattern, count in shown.items()]


def find_layout(root: Path) -> Layout:
    """Look at a folder. DataError says what was looked for where there is nothing to learn from."""
    tree = list_tree(root)
    return find_volumes(tree) or _find_images(tree)


def find_volumes(tree: Tree) -> Layout | None:
    """Volumes with masks that are volumes; None where there are none. Tables are not read: ids of
    slices are not known yet.
    """
    reader = VolumeReader(tree.root)
    families = Families(families_of(volume_tree(tree)), reader)
    pair = find_pair(families)
    if pair is None:
        return None
    layout = Layout(
        tree=tree,
        families=families,
        reader=reader,
        tables=(),
        problems=(),
        images=pair.images,
        pair=pair,
        others=tuple(other_masks(pair, families)),
        rows=None,
        test=find_test(pair.images, families, pair.masks, ()),
        sample=None,
        reference=None,
        test_reference=None,
        volumes=reader.volumes(pair.images.family.sample(_OPENED)),
    )
    _refuse_inexpressible(layout)
    return replace(
        layout,
        images=_as_stored(pair.images),
        pair=_stored_pair(pair),
        others=tuple(map(_stored_pair, layout.others)),
        test=layout.test and _as_stored(layout.test),
    )


def _as_stored(reading: Reading) -> Reading:
    return replace(reading, pattern=as_stored(reading.pattern))


def _stored_pair(pair: Pair) -> Pair:
    return replace(pair, images=_as_stored(pair.images), masks=_as_stored(pair.masks))


def _find_images(tree: Tree) -> Layout:
    reader = Reader(tree.root)
    families = Families(families_of(tree), reader)
    tables, problems = tables_of(tree)
    pair = find_pair(families)
    images, rows = _images_and_rows(pair, families, tables)
    if images is None:
        raise DataError(nothing_found(tree, families, tables))
    masks = pair.masks if pair else None
    test = find_test(images, families, masks, keys_of_samples(tables))
    layout = Layout(
        tree=tree,
        families=families,
        reader=reader,
        tables=tuple(tables),
        problems=tuple(problems),
        images=images,
        pair=pair,
        others=tuple(other_masks(pair, families)) if pair else (),
        rows=rows,
        test=test,
        sample=find_sample(tables, Ids(test.ids, test.head, test.tail)) if test else None,
        reference=find_reference(images, families, test=False),
        test_reference=find_reference(test, families, test=True) if test else None,
    )
    _refuse_inexpressible(layout)
    return layout


def _images_and_rows(
    pair: Pair | None, families: Families, tables: Sequence[Table]
) -> tuple[Reading | None, MaskRows | None]:
    if pair is not None:
        ids = Ids(pair.images.ids, pair.images.head, pair.images.tail)
        return pair.images, find_mask_rows(tables, ids)
    found = [
        (len(set(rows.keys.ids)), "test" not in each.family.roles, each.is_plain, each, rows)
        for each in families.images
        if (rows := find_mask_rows(tables, Ids(each.ids, each.head, each.tail))) is not None
    ]
    best = max(found, key=lambda each: each[:3], default=None)
    return (best[3], best[4]) if best else (None, None)


def _refuse_inexpressible(layout: Layout) -> None:
    """DataError where no pattern takes what was found, and nothing else."""
    masks = layout.pair.masks if layout.pair else None
    for reading in (layout.images, masks, layout.test, layout.reference, layout.test_reference):
        if reading is None:
            continue
        odd = [each for each in reading.family.folders if each and re.search(r"[{}*]", each)]
        if odd or re.search(r"[{}*]", reading.head + reading.tail):
            names = odd or [reading.family.pattern]
            raise DataError(
                f"{layout.tree.root}: patterns cannot hold the braces and asterisks of "
                f"{listed(names)}; rename that, and run init again"
            )
        if more := also_taken(reading, layout.families):
            raise DataError(
                f"{layout.tree.root}: the pattern {reading.pattern}, which takes "
                f"{reading.family.pattern}, also takes {more.pattern}; move one of them to a "
                "folder of its own, and run init again"
            )
