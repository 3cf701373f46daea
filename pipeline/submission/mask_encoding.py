"""Masks of numbers as bytes of PNG, TIFF and npy files, and back."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

Mask = NDArray[Any]


def encode_mask(pages: Iterable[Mask], shape: tuple[int, ...], dtype: str, name: str) -> bytes:
    """A file of one page (shape H, W) or of the pages of a volume (shape Z, H, W), by the ending
    of its name; TIFF is compressed by deflate, which needs no other library to be read.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".png":
        done, encoded = cv2.imencode(".png", next(iter(pages)))
        if not done:
            raise DataError(f"{name}: PNG of {shape} pixels of {dtype} cannot be written")
        return encoded.tobytes()
    stream = io.BytesIO()
    if suffix == ".npy":
        write_header(stream, shape, dtype)
        for page in pages:
            stream.write(np.ascontiguousarray(page).tobytes())
        return stream.getvalue()
    import tifffile

    tifffile.imwrite(
        stream, iter(pages), shape=shape, dtype=dtype, photometric="minisblack", compression="zlib",
        metadata=None,
    )  # fmt: skip
    return stream.getvalue()


def write_header(stream: BinaryIO, shape: tuple[int, ...], dtype: str) -> None:
    """That of an npy, in C order, before its numbers."""
    facts = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)


def decode_mask(content: bytes, name: str) -> Mask:
    """HW, or ZHW, of such a file; DataError where it is damaged."""
    try:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix == ".npy":
            return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
        if suffix == ".png":
            found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            if found is None:
                raise ValueError("no PNG")
            return np.asarray(found)
        import tifffile

        with tifffile.TiffFile(io.BytesIO(content)) as file:
            return np.asarray(file.asarray())
    except Exception as error:  # damaged bytes bring anything out of the decoders
        reason = str(error) or type(error).__name__
        raise DataError(f"{name} cannot be decoded ({reason})") from None
