"""Refuses images that do not fit into the memory that is free, before they are decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from PIL import Image

from pipeline.data.pages import RefusedError
from pipeline.memory import available_bytes

SURELY_FITS = 5 * 10**7  # pixels
_BYTES_A_PIXEL = 12  # Pillow's own pixels, a converted copy of them, and the array
_BYTES_AN_RGB_PIXEL = 8  # of which Pillow makes no copy
_SHARE_OF_FREE = 0.75
_SURELY_FIT = 2**28  # bytes
_large = threading.RLock()
"""Held while a large image is decoded, so that two threads do not count on the same memory."""


def memory_for(image: Image.Image, size: int) -> AbstractContextManager[object]:
    """Refuse what cannot be in the file or does not fit into memory; hold the lock if large.

    More pixels than any format packs (zstd: 33,000 a byte) are a header with a wrong bit; fax
    codes of 1-bit images have no such limit, but take a bit a row.
    """
    pixels = image.width * image.height
    if pixels <= SURELY_FITS:
        return nullcontext()
    if image.height > 8 * size if image.mode == "1" else pixels > 40_000 * size:
        raise RefusedError(
            f"cannot be decoded ({size} bytes cannot hold {image.width}×{image.height} pixels); "
            "get the file again"
        )
    return _large_picture(image)


@contextmanager
def _large_picture(image: Image.Image) -> Iterator[None]:
    with _large:
        bytes_a_pixel = _BYTES_AN_RGB_PIXEL if image.mode == "RGB" else _BYTES_A_PIXEL
        needed, free = image.width * image.height * bytes_a_pixel, available_bytes()
        if needed > _SHARE_OF_FREE * free:
            raise RefusedError(
                f"has {image.width}×{image.height} pixels, which take {needed / 1e9:.1f} GB to "
                f"decode; {free / 1e9:.1f} GB of memory are free"
            )
        yield


@contextmanager
def memory_for_bytes(needed: int) -> Iterator[None]:
    """Refuse an array that does not fit into memory; hold the lock if it is large."""
    if needed <= _SURELY_FIT:
        yield
        return
    with _large:
        free = available_bytes()
        if needed > _SHARE_OF_FREE * free:
            raise RefusedError(
                f"takes {needed / 1e9:.1f} GB to read; {free / 1e9:.1f} GB of memory are free"
            )
        yield
