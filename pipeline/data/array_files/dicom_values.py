"""The numbers that a DICOM's stored numbers stand for: rescaled, inverted, padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESCALED = "rescaled"
"""Start of the note about numbers that are not those in the file."""
_WHITE_IS_LOW = "MONOCHROME1"
_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4")


@dataclass(frozen=True)
class Values:
    """What is done to stored numbers, in this order: padding made one value, inverted, rescaled."""

    stored: np.dtype[Any]
    inverted: bool = False
    bits: int = 16
    """Of a stored number that are used."""
    rescales: tuple[tuple[float, float], ...] = ((1, 0),)
    """Slope and intercept; of each frame where frames differ."""
    padding: tuple[int, int] | None = None
    """The stored no-data value, and the other end of the range of such values."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers that are given: the smallest integers that hold all; else float64."""
        if self._is_identity:
            return self.stored
        if self.stored.kind == "f" or not self._are_integers:
            return np.dtype(np.float64)
        ends = [
            int(slope) * each + int(intercept)
            for slope, intercept in self.rescales
            for each in self._range
        ]
        for name in _TYPES:
            limits = np.iinfo(name)
            if limits.min <= min(ends) and max(ends) <= limits.max:
                return np.dtype(name)
        return np.dtype(np.float64)

    @property
    def no_data(self) -> float | None:
        """The padding, as it is given."""
        if self.padding is None:
            return None
        slope, intercept = self.rescales[0]
        return float(self._invert(np.int64(self.padding[0])) * slope + intercept)

    @property
    def notes(self) -> Iterator[str]:
        if self.inverted:
            yield f"white is stored as low ({_WHITE_IS_LOW}): inverted"
        if len(self.rescales) > 1:
            yield f"{RESCALED}, each frame in its own way"
        elif self.rescales[0] != (1, 0):
            slope, intercept = self.rescales[0]
            yield f"{RESCALED} by {slope:g} {'-' if intercept < 0 else '+'} {abs(intercept):g}"

    def given(self, stored: NDArray[Any], frame: int) -> NDArray[Any]:
        """What is given for stored numbers of a frame."""
        if self.padding is not None and self.padding[0] != self.padding[1]:
            low, high = sorted(self.padding)
            stored = np.where((stored >= low) & (stored <= high), self.padding[0], stored)
        if self._is_identity:
            return stored
        slope, intercept = self.rescales[frame if len(self.rescales) > 1 else 0]
        if self.dtype.kind == "f":
            return np.asarray(self._invert(stored) * np.float64(slope) + np.float64(intercept))
        return np.asarray(self._invert(stored) * np.int64(slope) + np.int64(intercept))

    @property
    def _is_identity(self) -> bool:
        return not self.inverted and all(each == (1, 0) for each in self.rescales)

    @property
    def _are_integers(self) -> bool:
        return all(float(number).is_integer() for pair in self.rescales for number in pair)

    @property
    def _range(self) -> tuple[int, int]:
        """Of stored numbers, inverted. Those that are not inverted may use more bits than said."""
        limits = np.iinfo(self.stored)
        low, high = int(limits.min), int(limits.max)
        if not self.inverted:
            return low, high
        ends = [0, 2**self.bits - 1] if low == 0 else [-(2 ** (self.bits - 1)), 0]
        ends += [int(self._invert(np.int64(each))) for each in (*ends, *(self.padding or ()))]
        return min(ends), max(ends)

    def _invert(self, stored: Any) -> Any:
        """Integers become int64, which cannot run over."""
        wide = stored.astype(np.int64) if stored.dtype.kind in "iu" else stored
        if not self.inverted:
            return wide
        return (-1 if self.stored.kind == "i" else 2**self.bits - 1) - wide


def values_of(dataset: Any, stored: np.dtype[Any]) -> Values:
    """What a gray image's header says of its numbers."""
    return Values(
        stored,
        inverted=dataset.PhotometricInterpretation == _WHITE_IS_LOW and stored.kind in "iu",
        bits=int(dataset.get("BitsStored") or 8 * stored.itemsize),
        rescales=_rescales(dataset),
        padding=_padding(dataset, stored),
    )


def _rescales(dataset: Any) -> tuple[tuple[float, float], ...]:
    """Of the image, of all its frames, or of each: where enhanced DICOM has them."""
    shared = list(_groups(dataset.get("SharedFunctionalGroupsSequence")))
    each = list(_groups(dataset.get("PerFrameFunctionalGroupsSequence")))
    found = tuple(_rescale(group) for group in each if group is not None)
    if found and len(found) == len(each):
        return found if len(set(found)) > 1 else found[:1]
    return (_rescale(next((group for group in shared if group is not None), dataset)),)


def _groups(sequence: Any) -> Iterator[Any]:
    for group in sequence or ():
        found = group.get("PixelValueTransformationSequence")
        yield found[0] if found else None


def _rescale(dataset: Any) -> tuple[float, float]:
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return (
        1.0 if slope in (None, "") else float(slope),
        0.0 if intercept in (None, "") else float(intercept),
    )


def _padding(dataset: Any, stored: np.dtype[Any]) -> tuple[int, int] | None:
    """As stored numbers: writers say -2000 of unsigned ones, too, and mean their bits."""
    first = dataset.get("PixelPaddingValue")
    if first is None or stored.kind not in "iu":
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    return _wrapped(first, stored), _wrapped(first if last is None else last, stored)


def _wrapped(value: Any, stored: np.dtype[Any]) -> int:
    return int(np.asarray([int(value)], np.int64).astype(stored)[0])
