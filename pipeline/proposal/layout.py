"""The parts of a folder of data: images, masks, test images, references, tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.listing import enumerated, listed
from pipeline.errors import DataError
from pipeline.proposal.families import families_of, stem_of
from pipeline.proposal.keys import Ids
from pipeline.proposal.looks import Reader
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

_ARRAYS = (".npy", ".npz", ".dcm", ".nii", ".gz", ".zarr")
"""Endings of files that may hold arrays."""


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
                shown[family.pattern] = len(left)
        return [f"{pattern} ({count} file(s))" for pattern, count in shown.items()]


def find_layout(root: Path) -> Layout:
    """Look at a folder. DataError says what was looked for where there is nothing to learn from."""
    tree = list_tree(root)
    reader = Reader(root)
    families = Families(families_of(tree), reader)
    tables, problems = tables_of(tree)
    pair = find_pair(families)
    images, rows = _images_and_rows(pair, families, tables)
    if images is None:
        raise DataError(_nothing(tree, families, tables))
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


def _nothing(tree: Tree, families: Families, tables: Sequence[Table]) -> str:
    images = [
        f"{each.pattern} ({len(each.places)} {'masks' if families.is_mask(each) else 'images'})"
        for each in families.all
    ]
    texts = [f"{each.path} (columns {', '.join(each.header[:5])})" for each in tables]
    rest = [f"{count} of {ending}" for ending, count in tree.others.most_common(5)]
    there = [
        ("images", enumerated(images, 8)),
        ("tables", enumerated(texts)),
        ("other files", enumerated(rest)),
    ]
    shown = "; ".join(f"{what}: {text}" for what, text in there)
    return (
        f"{tree.root}: found no images with masks. Looked for mask files that are called like "
        "images (masks/{id}.png, {id}_mask.png, {id}/masks/*.png, masks/{class}/{id}.png), and for "
        f"tables with a column of image names and one of run lengths. Among {tree.files} file(s) "
        f"there are {shown}.{_repeated(families)}{_arrays(tree)} Rename or move files, or copy "
        "configs/own.yaml and edit it"
    )


def _arrays(tree: Tree) -> str:
    """A hint at files that may be images, but are none that are looked into."""
    if not any(tree.others[ending] for ending in _ARRAYS):
        return ""
    return (
        " Arrays (npy, DICOM, NIfTI, zarr) are not looked into: name them in data.images, with "
        "data.bands, and data.volume where each is a volume (docs/images.md)."
    )


def _repeated(families: Families) -> str:
    """A hint at names that occur in several folders."""
    named: dict[str, str] = {}
    for family in families.all:
        if families.is_mask(family):
            continue
        for place in family.places:
            path = family.path_of(place)
            if (other := named.setdefault(stem_of(place.name), path)) != path:
                return f" Names must tell images apart, and {other} and {path} share theirs."
    return ""
