"""Writes one map band by band, so that it never is in memory whole.

A band holds some rows of every class, and a stored map one class plane after another: the rows of
each plane are written at their own place.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ArtefactError
from pipeline.maps.codec import SlotCodec
from pipeline.maps.disk import write_at

Band = NDArray[Any]
"""CxhxW: the next h rows of a map, in all its classes."""
Shape = tuple[int, int, int]


def write_bands(
    descriptor: int, path: Path, start: int, shape: Shape, bands: Iterable[Band]
) -> int:
    """Write bands, top to bottom, of a map CxHxW that begins at byte `start`; its length in bytes.

    Raises ArtefactError where the bands are not of that map.
    """
    classes, height, width = shape
    top, plane_bytes = 0, 0
    for band in bands:
        _check(band, shape, top)
        for plane, rows in enumerate(np.ascontiguousarray(band)):
            data = rows.data.cast("B")
            place = start + (plane * height + top) * width * band.itemsize
            write_at(descriptor, data, place, path)
        top += band.shape[1]
        plane_bytes += band.shape[1] * width * band.itemsize
    _check_whole(top, shape)
    return classes * plane_bytes


def pack_bands(
    codec: SlotCodec, shape: Shape, dtype: np.dtype[Any], bands: Iterable[Band]
) -> memoryview:
    """The packed map of bands, top to bottom. It is in memory whole, as stored numbers."""
    whole = np.empty(shape, dtype)
    top = 0
    for band in bands:
        _check(band, shape, top)
        whole[:, top : top + band.shape[1]] = band
        top += band.shape[1]
    _check_whole(top, shape)
    return codec.encode(whole)


def _check(band: Band, shape: Shape, top: int) -> None:
    classes, height, width = shape
    if (band.shape[0], band.shape[2]) != (classes, width) or top + band.shape[1] > height:
        raise ArtefactError(
            f"rows {top} to {top + band.shape[1]} of a map are {band.shape} (CxHxW), and there is "
            f"room for {shape}"
        )


def _check_whole(rows: int, shape: Shape) -> None:
    if rows != shape[1]:
        raise ArtefactError(f"{rows} of the {shape[1]} rows of a map came")
