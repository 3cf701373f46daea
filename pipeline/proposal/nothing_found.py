"""The message about a folder without images and masks."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.data.listing import enumerated
from pipeline.proposal.families import stem_of
from pipeline.proposal.pairs import Families
from pipeline.proposal.tables import Table
from pipeline.proposal.tree import Tree

_ARRAYS = (".npy", ".npz", ".dcm", ".nii", ".gz", ".zarr")
"""Endings of files that may hold arrays."""


def nothing_found(tree: Tree, families: Families, tables: Sequence[Table]) -> str:
    """What is there, and what was looked for."""
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
        " Arrays (npy, DICOM, NIfTI, zarr) are looked into where they and their masks are volumes: "
        "name others in data.images, with data.bands, and data.volume where each is a volume "
        "(docs/images.md)."
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
