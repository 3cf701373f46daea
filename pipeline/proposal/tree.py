"""Lists a folder: its images by folder, its tables, and how much else there is."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.array_files.registry import ENDINGS
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.containers import image_suffixes
from pipeline.errors import DataError

MOST_FILES = 2_000_000
TABLES = (".csv", ".tsv")

Parts = tuple[str, ...]


@dataclass
class Tree:
    """The files below a folder. Hidden ones are none, as everywhere."""

    root: Path
    images: dict[Parts, list[str]] = field(default_factory=dict)
    """Folder below the root → names of its files with an ending of images."""
    arrays: dict[Parts, list[str]] = field(default_factory=dict)
    """The same of files, and folders of zarr, with an ending of arrays."""
    tables: list[str] = field(default_factory=list)
    """Paths below the root."""
    others: Counter[str] = field(default_factory=Counter)
    """Ending → number of files that are neither."""
    closed: list[str] = field(default_factory=list)
    """Folders that cannot be opened."""
    files: int = 0

    @property
    def is_cut(self) -> bool:
        """True if there are more files than are listed."""
        return self.files >= MOST_FILES


def list_tree(root: Path) -> Tree:
    """Names alone are read; links to folders are followed once. DataError where there is none."""
    if not root.is_dir():
        raise DataError(f"DATA: there is no folder {root}")
    tree, seen = Tree(root), {os.path.realpath(root)}
    known = image_suffixes()
    waiting: list[Parts] = [()]
    while waiting and not tree.is_cut:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(root.joinpath(*folder)), key=lambda entry: entry.name)
        except OSError:
            tree.closed.append("/".join(folder) or ".")
            continue
        below = [each for each in entries if _is_shown(each.name)]
        arrays = {each.name for each in below if is_zarr_folder(Path(each.path))}
        if arrays:
            tree.arrays.setdefault(folder, []).extend(sorted(arrays))
            tree.files += len(arrays)
        waiting += [
            (*folder, each.name)
            for each in below
            if each.name not in arrays and _is_new_folder(each, seen)
        ]
        for entry in below:
            if _is_file(entry):
                _add(tree, folder, entry.name, known)
    return tree


def _add(tree: Tree, folder: Parts, name: str, known: frozenset[str]) -> None:
    tree.files += 1
    stem, dot, end = name.rpartition(".")  # pathlib takes seconds for 10^5 names
    ending = f".{end.lower()}" if stem and dot else ""
    if ending in known:
        tree.images.setdefault(folder, []).append(name)
    elif ending in TABLES:
        tree.tables.append("/".join((*folder, name)))
    else:
        if name.lower().endswith(ENDINGS):
            tree.arrays.setdefault(folder, []).append(name)
        tree.others[ending or name] += 1


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX" and name.isprintable()


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_new_folder(entry: os.DirEntry[str], seen: set[str]) -> bool:
    try:
        if not entry.is_dir():
            return False
    except OSError:
        return False
    if not entry.is_symlink():
        return True
    target = os.path.realpath(entry.path)
    is_new = target not in seen and not entry.path.startswith(target + os.sep)
    seen.add(target)
    return is_new
