"""Finds about where in the reference the image lies: places, small turns and zooms by correlation.

The image is slid over turned and zoomed copies of the reference, all of them small and
band-passed; products of spectra give all places at once (phase correlation, less its sensitivity
to noise and to partial overlap).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline.alignment.geometry import FloatArray, corner_distance, similarity
from pipeline.alignment.photometry import ByteImage, Float32Image, band_pass
from pipeline.size import Size

# Turn in degrees, and zoom in reference pixels per image pixel.
Pose = tuple[float, float]

# Places whose corners differ by less than this share of the image's longer side count as one.
SAME_PLACE = 0.03
_PEAKS_PER_POSE = 3
_KEPT = 5


def _posed(reference: ByteImage, pose: Pose) -> tuple[Float32Image, FloatArray]:
    """The whole reference turned and zoomed, band-passed; and the warp from it to the reference."""
    height, width = reference.shape
    turn, zoom = pose
    cosine, sine = abs(np.cos(np.deg2rad(turn))), abs(np.sin(np.deg2rad(turn)))
    rows = round((height * cosine + width * sine) / zoom)
    columns = round((width * cosine + height * sine) / zoom)
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    warp = similarity(zoom, turn, middle, centre)
    flags, mirror = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REFLECT_101
    picture = cv2.warpAffine(reference, warp[:2], (columns, rows), flags=flags, borderMode=mirror)
    inside = cv2.warpAffine(np.ones_like(reference), warp[:2], (columns, rows), flags=flags)
    return band_pass(np.asarray(picture, dtype=np.uint8)) * inside, warp


def correlations(image: Float32Image, posed: Float32Image) -> npt.NDArray[np.float32]:
    """Correlation for every place of the image's first pixel; negative places wrap around."""
    size = [
        fft.next_fast_len(sum(sides), real=True)
        for sides in zip(image.shape, posed.shape, strict=True)
    ]
    spectrum = fft.rfft2(posed, size) * np.conj(fft.rfft2(image, size))
    power = float(np.linalg.norm(image)) * float(np.linalg.norm(posed))
    return np.asarray(fft.irfft2(spectrum, size) / max(power, 1e-6), dtype=np.float32)


def _peaks(
    surface: npt.NDArray[np.float32], posed: Size, apart: int
) -> Iterator[tuple[float, FloatArray]]:
    """The highest places (x, y), `apart` pixels from each other, with their values."""
    surface = surface.copy()
    rows, columns = surface.shape
    for _ in range(_PEAKS_PER_POSE):
        row, column = divmod(int(surface.argmax()), columns)
        value = float(surface[row, column])
        near_rows = np.arange(row - apart, row + apart + 1) % rows
        near_columns = np.arange(column - apart, column + apart + 1) % columns
        surface[np.ix_(near_rows, near_columns)] = -1.0
        row, column = row - rows * (row >= posed[0]), column - columns * (column >= posed[1])
        yield value, np.array([float(column), float(row)])


def search(image: ByteImage, reference: ByteImage, poses: Iterable[Pose]) -> list[FloatArray]:
    """The few most promising warps among all places in all poses, best first.

    image, reference: HW uint8 of the same small scale.
    """
    banded = band_pass(image)
    size = (image.shape[0], image.shape[1])
    apart = max(2, round(SAME_PLACE * max(size)))
    found: list[tuple[float, FloatArray]] = []
    for pose in poses:
        posed, warp = _posed(reference, pose)
        surface = correlations(banded, posed)
        for value, place in _peaks(surface, (posed.shape[0], posed.shape[1]), apart):
            shift = similarity(1.0, 0.0, np.zeros(2), place)
            found.append((value, warp @ shift))
    found.sort(key=lambda entry: -entry[0])
    return distinct([warp for _, warp in found], size)[:_KEPT]


def distinct(warps: Iterable[FloatArray], size: Size) -> list[FloatArray]:
    """The warps, less those that come to the same place as an earlier one."""
    kept: list[FloatArray] = []
    limit = SAME_PLACE * max(size)
    for warp in warps:
        if all(corner_distance(warp, other, size) > limit for other in kept):
            kept.append(warp)
    return kept
