"""zarr, versions 2 and 3, as a folder or packed as zip; of OME-Zarr the finest level."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.description import described
from pipeline.data.array_files.extras import library
from pipeline.data.array_files.layout import LEFT_OUT, Layout, layout_of, named_layout
from pipeline.data.array_files.numpy_files import chosen
from pipeline.data.array_files.zarr_chunks import require_whole_chunks
from pipeline.data.array_files.zarr_marks import MARKS, is_zarr_folder
from pipeline.data.decoding_memory import memory_for_bytes
from pipeline.data.pages import RefusedError

_DEEPEST = 8
_MOST_COUNTED = 10**6


@dataclass(frozen=True)
class ZarrPixels:
    """The pixels of an array in a zarr group."""

    path: Path
    key: str
    """The array's place in the group; "" for the root."""
    layout: Layout

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        with _opened(self.path) as stored:
            array = stored[self.key] if self.key else stored
            cut = self.layout.cut(start, stop, plane)
            if self.path.is_dir():
                require_whole_chunks(self.path / self.key, array, cut)
            with memory_for_bytes(prod(array.chunks) * array.dtype.itemsize):
                part = np.asarray(array[cut])
        return self.layout.arranged(part)


@dataclass(frozen=True)
class _Level:
    """The finest level of an OME-Zarr image."""

    key: str
    names: tuple[str, ...]
    scale: tuple[float, ...]


def is_zarr(path: Path) -> bool:
    """True for a folder of zarr, or a zip of one."""
    if path.is_dir():
        return is_zarr_folder(path)
    try:
        with zipfile.ZipFile(path) as file:
            return any(mark in file.namelist() for mark in MARKS)
    except (OSError, zipfile.BadZipFile):
        return False


def describe(path: Path, key: str | None, axes: str | None, *, slices: bool = False) -> ArrayFile:
    """The array `key`, the finest level of an OME-Zarr (of the group `key`), or the only array.

    axes: for arrays that do not name their sides; as `layout_of` has them.
    """
    with _opened(path) as stored:
        return _described(path, stored, key, axes, slices)


def _described(
    path: Path, stored: Any, key: str | None, axes: str | None, slices: bool
) -> ArrayFile:
    group_type = library("zarr", "zarr", "zarr").Group
    node, place = (stored, "") if key is None else (_at(stored, key), key.strip("/"))
    level = None
    if isinstance(node, group_type):
        level = _finest(node)
        inner = chosen(list(_arrays(node, group_type)), None) if level is None else level.key
        place = f"{place}/{inner}".strip("/")
        node = _at(node, inner)
    if isinstance(node, group_type):
        raise RefusedError(f"names a group, {place}, where an array should be")
    _refuse_pickles(node)
    names = level.names if level else _names(node)
    layout, note = _layout(tuple(node.shape), names, axes, slices)
    notes = [note] if note else []
    if level:
        notes.append("smaller copies left out")
    return described(
        path,
        ZarrPixels(path, place, layout),
        axes=layout.axes,
        shape=layout.shape,
        stored=np.dtype(node.dtype),
        no_data=_no_data(node),
        spacing=_spacing(layout, level.scale) if level and level.scale else None,
        notes=(*notes, *_absent(node)),
    )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The group or array at the root."""
    zarr = library("zarr", "zarr", "zarr")
    kind = zarr.storage.LocalStore if path.is_dir() else zarr.storage.ZipStore
    store = kind(path, **({"read_only": True} if path.is_dir() else {"mode": "r"}))
    try:
        yield zarr.open(store, mode="r")
    finally:
        store.close()


def _refuse_pickles(array: Any) -> None:
    """Chunks may be stored as pickled objects, and reading those would run code."""
    if "pickle" in str(array.metadata.to_dict()).lower():
        raise RefusedError("holds pickled objects, which are never read; save it as plain numbers")


def _at(group: Any, key: str) -> Any:
    try:
        return group[key.strip("/")]
    except (KeyError, IndexError, TypeError):
        raise RefusedError(f"contains no array or group {key!r}") from None


def _arrays(group: Any, group_type: Any, inside: str = "", depth: int = 0) -> Iterator[str]:
    """The places of all arrays of a group."""
    for name, member in sorted(group.members()):
        if not isinstance(member, group_type):
            yield f"{inside}{name}"
        elif depth < _DEEPEST:
            yield from _arrays(member, group_type, f"{inside}{name}/", depth + 1)


def _finest(group: Any) -> _Level | None:
    """The largest of the levels that OME-Zarr lists; None where it lists none."""
    attributes = dict(group.attrs)
    images = attributes.get("ome", attributes).get("multiscales")
    if not images:
        return None
    if len(images) > 1:
        raise RefusedError(f"contains {len(images)} images (multiscales); name an array by key")
    levels = images[0]["datasets"]
    finest = max(levels, key=lambda level: prod(_at(group, level["path"]).shape))
    names = tuple(
        str(axis["name"] if isinstance(axis, dict) else axis) for axis in images[0].get("axes", ())
    )
    scale = np.ones(len(names))
    for source in (finest, images[0]):
        for each in source.get("coordinateTransformations", ()):
            if each.get("type") == "scale":
                scale = scale * np.asarray(each["scale"], float)
    return _Level(finest["path"], names, tuple(float(each) for each in scale))


def _names(array: Any) -> tuple[str, ...]:
    """The names of the sides: of zarr 3, or as xarray writes them to zarr 2."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return tuple("" if name is None else str(name) for name in names)


def _layout(
    shape: tuple[int, ...], names: tuple[str, ...], axes: str | None, slices: bool
) -> tuple[Layout, str]:
    """The layout of an array, and a note. Names that are not of OME-Zarr mean nothing."""
    known = {"t", "c", "z", "y", "x"}
    letters = [name.lower() for name in names]
    if axes or len(letters) != len(shape) or not {"y", "x"} <= set(letters) <= known:
        return layout_of(shape, axes, slices=slices), ""
    sizes = dict(zip(letters, shape, strict=True))
    frames, depth = sizes.get("t", 1), sizes.get("z", 1)
    if frames > 1 and depth > 1:
        raise RefusedError(
            f"holds {frames} frames of {depth} slices each; save each frame as a file of its own"
        )
    sides = [
        LEFT_OUT if size == 1 and letter in "tzc" else {"t": "Z"}.get(letter, letter.upper())
        for letter, size in sizes.items()
    ]
    note = f"{frames} frames are read as slices" if frames > 1 else ""
    return named_layout(shape, "".join(sides)), note


def _spacing(layout: Layout, scale: tuple[float, ...]) -> tuple[float, ...] | None:
    steps = dict(zip(layout.stored, scale, strict=False))
    return tuple(steps.get(letter, 0) for letter in layout.axes if letter != "C")


def _no_data(array: Any) -> float | None:
    """As xarray and GDAL write it. zarr's own fill value is only that of chunks never written."""
    value = array.attrs.get("_FillValue")
    return float(value) if isinstance(value, int | float) else None


def _absent(array: Any) -> Iterator[str]:
    if array.nchunks > _MOST_COUNTED:
        return
    absent = array.nchunks - array.nchunks_initialized
    if absent > 0:
        yield (
            f"{absent} of {array.nchunks} chunks are not in the store: read as "
            f"{array.fill_value}, its fill value"
        )
