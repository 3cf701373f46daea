"""NumPy's npy, mapped into memory, and npz. Pickled objects are never read."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.description import described
from pipeline.data.array_files.layout import LEFT_OUT, ORDER, Layout, layout_of
from pipeline.data.array_files.numbers import type_read
from pipeline.data.array_files.whole_arrays import MOST_KEPT, whole_array
from pipeline.data.pages import RefusedError

START = b"\x93NUMPY"
_ENDING = ".npy"


@dataclass(frozen=True)
class NumpyPixels:
    """The pixels of an array in an npy, or of a member of an npz."""

    path: Path
    member: str | None
    offset: int
    """Of the first number, from the start of the file or of the member."""
    dtype: np.dtype[Any]
    by_columns: bool
    layout: Layout

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        if self.member is None:
            stored = self._mapped()
        elif self._is_in_order and self._bytes > MOST_KEPT:
            return self._unpacked_rows(self.member, start, stop, plane)
        else:
            member = self.member
            stored = whole_array(self.path, member, self._bytes, lambda: self._unpacked(member))
        return self.layout.arranged(np.array(stored[self.layout.cut(start, stop, plane)]))

    @property
    def _bytes(self) -> int:
        return self.dtype.itemsize * prod(self.layout.sides)

    @property
    def _is_in_order(self) -> bool:
        """True if rows that follow each other do so in the file."""
        letters = self.layout.stored.replace(LEFT_OUT, "")
        return not self.by_columns and letters == "".join(c for c in ORDER if c in letters)

    @property
    def _order(self) -> Any:
        return "F" if self.by_columns else "C"

    def _mapped(self) -> NDArray[Any]:
        sides = self.layout.sides
        return np.memmap(self.path, self.dtype, "r", self.offset, sides, order=self._order)

    def _unpacked(self, member: str) -> NDArray[Any]:
        with zipfile.ZipFile(self.path) as file, file.open(member) as stream:
            data = stream.read()  # to the end, where its checksum is compared
        found = np.frombuffer(data, self.dtype, prod(self.layout.sides), self.offset)
        return found.reshape(self.layout.sides, order=self._order)

    def _unpacked_rows(self, member: str, start: int, stop: int, plane: int) -> NDArray[Any]:
        sizes = dict(zip(self.layout.axes, self.layout.shape, strict=True))
        bands = sizes.get("C", 1)
        row = sizes["X"] * bands
        first = (plane * sizes["Y"] + start) * row
        with zipfile.ZipFile(self.path) as file, file.open(member) as stream:
            stream.seek(self.offset + first * self.dtype.itemsize)
            data = stream.read((stop - start) * row * self.dtype.itemsize)
        shape = (stop - start, sizes["X"], *((bands,) if "C" in sizes else ()))
        return np.frombuffer(data, self.dtype).reshape(shape)


def describe_npy(path: Path, axes: str | None, *, slices: bool = False) -> ArrayFile:
    """The array of an npy. axes: as `layout_of` has them."""
    with path.open("rb") as stream:
        shape, by_columns, dtype = _header(stream)
        offset = stream.tell()
    found = path.stat().st_size - offset
    return _described(path, None, offset, shape, by_columns, dtype, axes, found, slices)


def describe_npz(
    path: Path, key: str | None, axes: str | None, *, slices: bool = False
) -> ArrayFile:
    """The array `key` of an npz, or the only one."""
    with zipfile.ZipFile(path) as file:
        names = [name[: -len(_ENDING)] for name in file.namelist() if name.endswith(_ENDING)]
        member = f"{chosen(names, key)}{_ENDING}"
        with file.open(member) as stream:
            shape, by_columns, dtype = _header(stream)  # type: ignore[arg-type]
            offset = stream.tell()
        found = file.getinfo(member).file_size - offset
    return _described(path, member, offset, shape, by_columns, dtype, axes, found, slices)


def chosen(names: list[str], key: str | None) -> str:
    """The name of the array that is to be read. RefusedError naming those that there are."""
    listed = ", ".join(sorted(names)[:10]) + (", …" if len(names) > 10 else "")
    if not names:
        raise RefusedError("contains no array")
    if key is None and len(names) > 1:
        raise RefusedError(f"contains {len(names)} arrays ({listed}); name one by key")
    if key is not None and key not in names:
        raise RefusedError(f"contains no array {key!r}; it has {listed}")
    return key or names[0]


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise RefusedError(f"is an npy of version {version}, of arrays with fields; save numbers")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)


def _described(
    path: Path,
    member: str | None,
    offset: int,
    shape: tuple[int, ...],
    by_columns: bool,
    dtype: np.dtype[Any],
    axes: str | None,
    found: int,
    slices: bool,
) -> ArrayFile:
    """found: the bytes that are there for the numbers."""
    type_read(dtype)
    if 0 in shape:
        raise RefusedError(f"holds no pixels: its array is {'×'.join(map(str, shape))}")
    layout = layout_of(shape, axes, slices=slices)
    needed = dtype.itemsize * prod(shape)
    if found < needed:
        raise RefusedError(
            f"is cut off: its array takes {needed} bytes, of which {found} are there; get it again"
        )
    pixels = NumpyPixels(path, member, offset, dtype, by_columns, layout)
    return described(path, pixels, axes=layout.axes, shape=layout.shape, stored=dtype)
