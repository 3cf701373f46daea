"""NIfTI, turned to its canonical orientation: x to the right, y to the front, z to the head.

What is read is indexed Z, Y, X: rows go to the front, columns to the right.
"""

from __future__ import annotations

import gzip
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
from pipeline.data.array_files.layout import LEFT_OUT, Layout
from pipeline.data.array_files.whole_arrays import MOST_KEPT, whole_array
from pipeline.data.pages import RefusedError

_GZIP = b"\x1f\x8b"
_ONE, _TWO = (b"n+1\0", b"ni1\0"), (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
_MAGIC_AT, _HEAD = 344, 348
_UPRIGHT = "RAS"


@dataclass(frozen=True)
class NiftiPixels:
    """The pixels of a volume, upright and rescaled."""

    path: Path
    layout: Layout
    """Of the stored volume, without the bands of a colour."""
    flipped: str
    """Letters of the sides that are stored from their end to their start."""

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        sizes = dict(zip(self.layout.axes, self.layout.shape, strict=True))
        if "Y" in self.flipped:
            start, stop = sizes["Y"] - stop, sizes["Y"] - start
        if "Z" in self.flipped:
            plane = sizes["Z"] - 1 - plane
        found = self.layout.arranged(self._part(self.layout.cut(start, stop, plane)))
        found = found[::-1] if "Y" in self.flipped else found
        found = found[:, ::-1] if "X" in self.flipped else found
        names = found.dtype.names
        return np.stack([found[name] for name in names], axis=-1) if names else found

    def _part(self, cut: tuple[int | slice, ...]) -> NDArray[Any]:
        with _volume(self.path) as (image, stream):
            stored = image.dataobj
            size = stored.dtype.itemsize * prod(stored.shape)
            if not isinstance(stream, gzip.GzipFile) or size > MOST_KEPT:
                return np.asarray(stored[cut])

            def unpacked() -> NDArray[Any]:
                numbers = np.array(stored.get_unscaled())
                while stream.read(2**20):  # to the end, where its checksum is compared
                    pass
                return numbers

            part = whole_array(self.path, "", size, unpacked)[cut]
            rescale = library("nibabel.volumeutils", "nifti", "NIfTI").apply_read_scaling
            return np.asarray(rescale(part, stored.slope, stored.inter))


def is_nifti(path: Path, start: bytes) -> bool:
    """start: the first bytes of the file."""
    if start.startswith(_GZIP):
        try:
            with gzip.open(path) as stream:
                start = stream.read(_HEAD)
        except (OSError, EOFError):
            return False
    return start[_MAGIC_AT:_HEAD] in _ONE or start[4:12] in _TWO


def describe(path: Path) -> ArrayFile:
    """The volume of a file. A fourth side is read as bands."""
    with _volume(path) as (image, stream):
        stored = image.dataobj
        if not isinstance(stream, gzip.GzipFile):
            _require_whole(path, stored)
        orientations = library("nibabel.orientations", "nifti", "NIfTI")
        turns = orientations.io_orientation(image.affine)
        layout, flipped = _layout(tuple(stored.shape), turns)
        notes = list(_notes(image, layout, "".join(orientations.ornt2axcodes(turns))))
        rescale = library("nibabel.volumeutils", "nifti", "NIfTI").apply_read_scaling
        dtype = rescale(np.zeros(1, stored.dtype), stored.slope, stored.inter).dtype
        axes, shape = layout.axes, layout.shape
        if dtype.names:
            if "C" in axes or any(dtype[name] != np.uint8 for name in dtype.names):
                raise RefusedError("has bands of colours; save each as a file of its own")
            axes, shape, dtype = f"{axes}C", (*shape, len(dtype.names)), np.dtype(np.uint8)
        zooms = [abs(float(each)) for each in image.header.get_zooms()[:3]]
        steps = dict(zip(layout.stored, zooms, strict=False))
        return described(
            path,
            NiftiPixels(path, layout, flipped),
            axes=axes,
            shape=shape,
            stored=dtype,
            spacing=tuple(steps[letter] for letter in axes if letter != "C"),
            notes=tuple(notes),
        )


def _layout(shape: tuple[int, ...], turns: NDArray[np.float64]) -> tuple[Layout, str]:
    """Letters of the stored sides, and those that are flipped.

    turns: of nibabel, the direction of each side: to the right, to the front or up, and its sign.
    A volume of one slice, in whatever direction, is one plane.
    """
    if len(shape) < 2:
        raise RefusedError(f"holds an array of {'×'.join(map(str, shape))}, which is no image")
    if not np.isfinite(turns[: len(shape)]).all():
        raise RefusedError("does not say how its sides lie in space: its affine is not invertible")
    sides = shape[:3]
    directions = [int(each) for each in turns[: len(sides), 0]]
    thin = [number for number, side in enumerate(sides) if side == 1]
    if len(thin) == 1 or len(sides) == 2:
        flat = sorted(number for number in range(len(sides)) if number not in thin)
        flat = flat if len(flat) == 2 else [0, 1]
        left, right = sorted(flat, key=lambda number: directions[number])
        letters = ["Z"] * len(sides)
        letters[left], letters[right] = "X", "Y"
    else:
        letters = ["XYZ"[direction] for direction in directions]
    flipped = "".join(letter for letter, turn in zip(letters, turns, strict=False) if turn[1] < 0)
    more = ["C" if side > 1 else LEFT_OUT for side in shape[3:]]
    if more.count("C") > 1:
        raise RefusedError(
            f"holds an array of {'×'.join(map(str, shape))}; save each volume as its own file"
        )
    return Layout("".join([*letters, *more]), shape), flipped


def _notes(image: Any, layout: Layout, code: str) -> Iterator[str]:
    if code != _UPRIGHT:
        yield f"turned from {code} to {_UPRIGHT}"
    if not (int(image.header["sform_code"]) or int(image.header["qform_code"])):
        yield "no orientation is stated: taken as nibabel does"
    if "C" in layout.axes:
        yield f"{layout.shape[-1]} volumes are read as bands"
    slope, inter = image.dataobj.slope, image.dataobj.inter
    if (slope, inter) != (1, 0):
        yield f"rescaled by {slope:g} {'-' if inter < 0 else '+'} {abs(inter):g}"


def _require_whole(path: Path, stored: Any) -> None:
    """Compare the file of the numbers, of pairs the second one, with what the header promises."""
    source = Path(stored.file_like) if isinstance(stored.file_like, str) else path
    if not source.is_file():
        raise RefusedError(f"is a header whose numbers are in {source.name}; put it beside it")
    needed = stored.offset + stored.dtype.itemsize * prod(stored.shape)
    found = source.stat().st_size
    if found < needed:
        raise RefusedError(f"is cut off: it has {found} of {needed} bytes; get it again")


@contextmanager
def _volume(path: Path) -> Iterator[tuple[Any, Any]]:
    """nibabel's image, and the open file that it reads from."""
    nibabel = library("nibabel", "nifti", "NIfTI")
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        with gzip.GzipFile(fileobj=file) if packed else file as stream:
            start = stream.read(_HEAD)
            stream.seek(0)
            two = start[4:12] in _TWO
            if start[_MAGIC_AT:] == _ONE[1] or start[4:12] == _TWO[1]:
                pair = nibabel.Nifti2Pair if two else nibabel.Nifti1Pair
                yield pair.from_filename(str(path)), file
            else:
                kind = nibabel.Nifti2Image if two else nibabel.Nifti1Image
                yield kind.from_stream(stream), stream
