"""Finds volumes in a folder: files of several slices, and folders with a file a slice.

Families are found by names of one ending, so a volume is called by one here: `case1.nii-gz`, and
`case1.folder` for a folder. `as_stored` gives the names and patterns of the disk back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from pipeline.data.array_files.numbered_files import in_order
from pipeline.data.array_files.registry import open_array
from pipeline.errors import DataError
from pipeline.proposal.folders import places_by_template
from pipeline.proposal.tree import Parts, Tree

FOLDER = ".folder"
DICOM = (".dcm", ".dicom")
_ONE_ENDING = {".nii.gz": ".nii-gz", ".zarr.zip": ".zarr-zip", ".ome.tif": ".ome-tif"}
_MEDICAL = (".nii", ".nii.gz")
"""Volumes by their name: the package that reads them may be missing."""
_TIFF = (".tif", ".tiff")
_ENDINGS = (*_MEDICAL, *DICOM, *_TIFF, ".npy", ".npz", ".zarr", ".zarr.zip")
_LOOKED_AT = 3  # files, or folders, of one kind


def volume_tree(tree: Tree) -> Tree:
    """The volumes of a tree as its images; nothing where there are none."""
    found: dict[Parts, list[str]] = defaultdict(list)
    for folder, name in (*_files(tree), *_folders(tree)):
        found[folder].append(_of_one_ending(name))
    return replace(tree, images=dict(found))


def as_stored(name: str) -> str:
    """A name, path or pattern as it is on the disk."""
    for ending, single in _ONE_ENDING.items():
        name = name.removesuffix(single) + ending if name.endswith(single) else name
    return name.removesuffix(FOLDER)


def _of_one_ending(name: str) -> str:
    for ending, single in _ONE_ENDING.items():
        if name.lower().endswith(ending):
            return name[: -len(ending)] + single
    return name


def _files(tree: Tree) -> Iterator[tuple[Parts, str]]:
    """Files and zarr folders that hold several slices, by folder; a few of each kind are opened."""
    by_kind: dict[tuple[Parts, str], list[str]] = defaultdict(list)
    for listed in (tree.arrays, tree.images):
        for folder, names in listed.items():
            for name in names:
                if ending := _ending(name):
                    by_kind[folder, ending].append(name)
    for (folder, ending), names in by_kind.items():
        some = (tree.root.joinpath(*folder, name) for name in names[:_LOOKED_AT])
        if ending in _MEDICAL or any(map(_has_slices, some)):
            yield from ((folder, name) for name in names)
        elif ending in DICOM and len(names) > 1 and folder:
            yield folder[:-1], folder[-1] + FOLDER


def _folders(tree: Tree) -> Iterator[tuple[Parts, str]]:
    """Folders of numbered pictures whose names repeat from folder to folder: `{id}/0001.png`."""
    for template, places in places_by_template(tree.images).items():
        by_folder: dict[Parts, list[str]] = defaultdict(list)
        for place in places:
            varying = iter(place.varying)
            by_folder[tuple(next(varying) if each is None else each for each in template)].append(
                place.name
            )
        names = [set(each) for each in by_folder.values()]
        repeats = any(one & other for one, other in pairwise(names))
        if repeats and min(map(len, names)) > 1 and _count_on(tree.root, list(by_folder.items())):
            yield from ((folder[:-1], folder[-1] + FOLDER) for folder in by_folder)


def _ending(name: str) -> str:
    """The ending by which a file may be a volume; the longest, or nothing."""
    lowered = name.lower()
    return max((each for each in _ENDINGS if lowered.endswith(each)), key=len, default="")


def _has_slices(path: Path) -> bool:
    try:
        return open_array(path, slices=True).planes > 1
    except DataError:
        return False


def _count_on(root: Path, folders: Sequence[tuple[Parts, Sequence[str]]]) -> bool:
    try:
        for folder, names in folders[:_LOOKED_AT]:
            in_order([root.joinpath(*folder, name) for name in names])
    except DataError:
        return False
    return True
