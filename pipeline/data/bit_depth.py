"""How many gray levels of a deep image are left in the 8 bits that networks see."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.images import DecodedImage

_FEW = 32  # of 256 gray levels
_FEW_BITS = 13  # of 16: fewer than 32 of 256 gray levels are left of them
_OUTLIERS = 0.001  # of the pixels at either end: hot and dead ones


def lost_levels(data: bytes, image: DecodedImage) -> str:
    """A note about an image, read from `data`, that loses most gray levels; "" for others.

    An offset and single hot pixels do not hide it: the levels between the darkest and the brightest
    thousandth count. A file that has no more levels itself has lost none.
    """
    if image.header.bits <= 8:
        return ""
    cut = _is_cut(image.deep)
    left = _levels(image.rgb)
    if left >= _FEW and not cut:
        return ""
    deep = image.deep if image.deep is not None else _stored(data)
    if not cut and deep is not None and _distinct(deep) <= left:
        return ""
    if image.deep is not None and (unused := _unused_bits(int(image.deep.max()))):
        return unused
    lost = f"of 256 gray levels {f'fewer than {_FEW}' if left < _FEW else 'some'} are left"
    beyond = "values outside 0 to 65535 are cut off, " if cut else ""
    return f"{image.header.bits} bits: {beyond}{lost}; stretch the files' values"


def _unused_bits(highest: int) -> str:
    used = max(0, highest).bit_length()
    if used > _FEW_BITS:
        return ""
    left = (min(highest, 65535) + 128) // 257 + 1
    return (
        f"16 bits, of which the highest {16 - used} are not used: {left} of 256 gray level(s) are "
        "left when it is read in 8 bits; multiply the files' values"
    )


def _is_cut(deep: NDArray[np.integer] | None) -> bool:
    return deep is not None and bool((deep > 65535).any() or (deep < 0).any())


def _levels(image: NDArray[np.uint8]) -> int:
    counts = sum(np.bincount(plane.ravel(), minlength=256) for plane in np.moveaxis(image, 2, 0))
    below = np.cumsum(counts) / np.sum(counts)
    low, high = np.searchsorted(below, [_OUTLIERS, 1 - _OUTLIERS])
    return int(high - low + 1)


def _stored(data: bytes) -> NDArray[np.integer] | None:
    """The values as they are in the file; None where OpenCV cannot tell."""
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return np.asarray(found) if found is not None and found.dtype.kind in "iu" else None


def _distinct(deep: NDArray[np.integer]) -> int:
    low, high = np.quantile(deep, [_OUTLIERS, 1 - _OUTLIERS])
    return len(np.unique(deep[(deep >= low) & (deep <= high)]))
