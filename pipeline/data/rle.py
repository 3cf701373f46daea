"""Run-length text of masks, as competitions use it: the only place of its order and its base.

A *run* is a row (start, length) of an int64 (R, 2) array: `start` counts pixels from 0 in the scan
order, runs are sorted and disjoint. Only the text knows the competitions' conventions: starts
from 1 and absolute or, when `relative` (SIIM-ACR Pneumothorax), the gap after the previous run.
The order is "row" (right, then down: Carvana, Vesuvius) or "column" (down, then right: the others).
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.config.choices import RleOrder
from pipeline.errors import DataError

Runs = NDArray[np.int64]

_LARGEST = 10**12  # more pixels than any image has; sums of such numbers stay within int64


def encode(
    mask: NDArray[np.bool_] | NDArray[np.uint8], order: RleOrder, *, relative: bool = False
) -> str:
    """The text of a mask HW (non-zero = inside); "" for an empty one.

    The submission decides which text means an empty mask ("", "-", "-1").
    """
    return to_text(runs_of(mask, order), relative=relative)


def decode(
    text: str, size: tuple[int, int], order: RleOrder, *, relative: bool = False
) -> NDArray[np.bool_]:
    """The mask, bool HW, that a text describes; blank text is an empty mask.

    Raises DataError, naming the run, for anything that is not sorted, disjoint runs inside `size`
    (height, width). The message does not know the file, row and id: the caller puts them before it.
    """
    return mask_of(from_text(text, relative=relative), size, order)


def runs_of(mask: NDArray[np.bool_] | NDArray[np.uint8], order: RleOrder) -> Runs:
    """The runs of a mask HW, int64 (R, 2): start from 0 in scan order, and length."""
    inside = (mask if mask.dtype == np.bool_ else mask != 0).view(np.uint8)
    flat = np.ravel(cv2.transpose(inside) if order == "column" else inside)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        edges = np.insert(edges, 0, 0)
    if flat[-1]:
        edges = np.append(edges, flat.size)
    return np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1)


def mask_of(runs: Runs, size: tuple[int, int], order: RleOrder) -> NDArray[np.bool_]:
    """The mask, bool HW, of sorted and disjoint runs; DataError for a run past the end."""
    height, width = size
    beyond = f"ends past the last of the image's {height * width} pixels"
    _refuse(runs + np.array([1, 0]), runs.sum(axis=1) > height * width, beyond)
    flat = np.zeros(height * width, np.uint8)
    _fill(flat, runs)
    if order == "row":
        return flat.reshape(height, width).view(np.bool_)
    return cv2.transpose(flat.reshape(width, height)).view(np.bool_)


def to_text(runs: Runs, *, relative: bool = False) -> str:
    """ "start length start length …" of runs as `runs_of` gives them."""
    if not len(runs):
        return ""
    numbers = runs.copy()
    if relative:
        numbers[1:, 0] -= runs[:-1].sum(axis=1)
    else:
        numbers[:, 0] += 1
    return bytes(_write(numbers.reshape(-1).view(np.uint64))).decode("ascii")


def from_text(text: str, *, relative: bool = False) -> Runs:
    """The runs that a text names, checked for all but the size of the image (see `mask_of`)."""
    raw = text.encode(errors="surrogatepass")  # which is no digit, and said to be none
    numbers, good = _read(np.frombuffer(raw, np.uint8))
    if not good:
        token = raw.split()[len(numbers)].decode(errors="replace")[:24]
        raise DataError(f"run {len(numbers) // 2 + 1}: {token!r} is not {_wanted(numbers)}")
    if len(numbers) % 2:
        raise DataError(
            f"run {len(numbers) // 2 + 1}: start {numbers[-1]} has no length "
            f"(an odd count of numbers, {len(numbers)})"
        )
    return _absolute(numbers.reshape(-1, 2), relative)


def _wanted(numbers_before: NDArray[np.int64]) -> str:
    return f"a {'length' if len(numbers_before) % 2 else 'start'} (an integer count of pixels)"


def _absolute(numbers: NDArray[np.int64], relative: bool) -> Runs:
    """Runs from the numbers of a text; DataError for the first run that breaks the rules."""
    runs = numbers.copy()
    if relative:
        runs[1:, 0] += numbers[:-1].sum(axis=1).cumsum()
    else:
        runs[:, 0] -= 1
    ends = runs.sum(axis=1)
    _refuse(numbers, runs[:, 0] < 0, "a start must be 1 or more (starts count from 1)")
    _refuse(numbers, runs[:, 1] < 1, "a length must be 1 or more")
    overlapping = np.zeros(len(runs), bool)
    overlapping[1:] = runs[1:, 0] < ends[:-1]
    _refuse(numbers, overlapping, "starts before the previous run ends (runs must be sorted)")
    return runs


def _refuse(numbers: NDArray[np.int64], wrong: NDArray[np.bool_], reason: str) -> None:
    if wrong.any():
        first = int(wrong.argmax())
        start, length = numbers[first]
        raise DataError(f"run {first + 1} (start {start}, length {length}): {reason}")


@njit(cache=True, nogil=True)
def _fill(flat: NDArray[np.uint8], runs: Runs) -> None:
    for r in range(len(runs)):
        flat[runs[r, 0] : runs[r, 0] + runs[r, 1]] = 1


@njit(cache=True, nogil=True)
def _write(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Decimal digits of the numbers, one blank between two, as ASCII bytes.

    Written from the last digit of the last number, so that no width need be known beforehand;
    unsigned because the compiler then divides by a multiplication.
    """
    text = np.empty(len(numbers) * 21, np.uint8)
    place, ten = text.size, np.uint64(10)
    for number in numbers[::-1]:
        place -= 1
        text[place] = 32
        while True:
            rest = number // ten
            place -= 1
            text[place] = 48 + (number - rest * ten)
            number = rest
            if rest == 0:
                break
    return text[place:-1]


@njit(cache=True, nogil=True)
def _read(text: NDArray[np.uint8]) -> tuple[NDArray[np.int64], bool]:
    """The numbers before the first token that is none (or is absurdly large), and if all are."""
    numbers = np.empty(text.size // 2 + 1, np.int64)
    count, value, within = 0, 0, False
    for byte in text:
        if 48 <= byte <= 57 and value <= _LARGEST:
            value, within = value * 10 + (byte - 48), True
        elif byte == 32 or 9 <= byte <= 13:
            if within:
                numbers[count] = value
                count += 1
            value, within = 0, False
        else:
            return numbers[:count], False
    if within:
        numbers[count] = value
        count += 1
    return numbers[:count], True
