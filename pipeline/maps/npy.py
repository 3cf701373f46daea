"""The first bytes of an `.npy` file, which describe its array."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from pipeline.errors import ArtefactError


def preamble(shape: tuple[int, ...], dtype: DTypeLike) -> bytes:
    """What `numpy.save` writes before the values of such an array."""
    stream = io.BytesIO()
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(
        stream, {"descr": description, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def map_table(
    path: Path, shape: tuple[int, ...], dtype: DTypeLike, *, writable: bool
) -> np.memmap[Any, Any]:
    """The array in the file as a memory map; ArtefactError if it is not just such an array."""
    expected = preamble(shape, dtype)
    size = len(expected) + int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not path.is_file() or path.stat().st_size != size or _head(path, len(expected)) != expected:
        raise ArtefactError(f"{path} is missing or damaged; run `make infer`")
    mode: Literal["r", "r+"] = "r+" if writable else "r"
    return np.memmap(path, dtype, mode, offset=len(expected), shape=shape)


def _head(path: Path, length: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(length)
