"""The class of each pixel of a mask file with several classes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.masks.meaning import SAVE, Meaning, palette_colours
from pipeline.data.masks.pixels import MaskPixels, Values, decode_pixels
from pipeline.data.masks.soft import blends, distinct
from pipeline.errors import DataError


def decode_values(
    data: bytes, path: Path, known: Collection[int] | None = None, *, turn: bool = True
) -> NDArray[Any]:
    """The value of each pixel of a mask file of several classes, HW; see `judge_values`."""
    return judge_values(data, path, known, turn=turn).pixels


def judge_values(
    data: bytes,
    path: Path,
    known: Collection[int] | None = None,
    *,
    void: int | None = None,
    turn: bool = True,
) -> Meaning:
    """The value of each pixel of a mask file of several classes, and what is odd about them.

    known: the values that have a meaning (None: all of them), which decide between a palette's
    indices and its gray levels, and between samples of few bits and what viewers stretch them to.
    Raises DataError naming the file, for lossy formats too, whose values are not those painted.
    """
    pixels = decode_pixels(data, path, turn=turn)
    if pixels.header.lossy:
        raise DataError(f"{path} is a {pixels.header.lossy}, which blurs a mask's values; {SAVE}")
    values = _meant(pixels, known, void, path)
    if pixels.alpha is not None and not pixels.keyed:
        _refuse_hidden(values, pixels.alpha, path)
    blended = len(distinct(values)) > 2 and blends(values)
    note = "values blend into each other, as if resized: between classes lie others" * blended
    orientation = pixels.header.orientation if turn else 1
    return Meaning(values, note, palette_colours(pixels), orientation)


def _meant(
    pixels: MaskPixels, known: Collection[int] | None, void: int | None, path: Path
) -> Values:
    """The stored numbers, or the gray levels that are shown for them."""
    stored, shown = pixels.stored, pixels.shown
    if stored is shown or np.array_equal(stored, shown) or (known is None and void is None):
        return stored
    numbers, levels = distinct(stored), distinct(shown)
    by_number = known is None or set(numbers.tolist()) <= set(known)
    by_level = known is None or set(levels.tolist()) <= set(known)
    by_level &= len(levels) == len(numbers)  # two that look alike are not told apart by looks
    is_palette = pixels.header.bits == 8 and not pixels.header.white_is_zero
    if (
        by_number
        and by_level
        and not (is_palette and not ((stored == void) != (shown == void)).any())
    ):
        raise DataError(
            f"{path}: both its numbers ({_listed(numbers)}) and the gray levels that they are "
            f"shown as ({_listed(levels)}) are known values; save the masks as 8-bit gray PNG"
        )
    if not (by_number or by_level):
        raise DataError(
            f"{path} holds the values {_listed(numbers)}, shown as gray {_listed(levels)}; in both "
            "readings some are missing from data.classes and data.void"
        )
    return shown if by_level else stored


def _refuse_hidden(values: Values, alpha: NDArray[np.uint8], path: Path) -> None:
    visible = alpha > 0
    if not visible.any():
        return
    if values[~visible].any():
        raise DataError(f"{path}: transparent pixels hide values of the mask; {SAVE}")
    if not visible.all() and not values.any():
        raise DataError(f"{path} has its shape in the alpha channel, without values; {SAVE}")


def _listed(values: NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, values[:5].tolist()))
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"
