"""The inside of a mask file with one class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.masks.meaning import SAVE, Meaning, palette_colours
from pipeline.data.masks.pixels import MaskPixels, Values, decode_pixels
from pipeline.data.masks.soft import distinct, is_soft
from pipeline.errors import DataError

_FEW = 8  # values
_NEARLY = 8  # gray levels by which black and gray are missed


def decode_inside(data: bytes, path: Path, *, turn: bool = True) -> NDArray[np.bool_]:
    """Where a mask file of one class is inside, bool HW; see `judge_inside`."""
    return np.asarray(judge_inside(data, path, turn=turn).pixels, np.bool_)


def judge_inside(data: bytes, path: Path, *, turn: bool = True) -> Meaning:
    """The inside of a mask file with one class, and the assumptions made.

    Inside is what viewers do not show in black: gray palettes count by their levels, coloured ones
    by index, cut-outs by their alpha. Blurred masks are inside from half of white on. Raises
    DataError naming the file.
    """
    pixels = decode_pixels(data, path, turn=turn)
    values = _levels_of_one_class(pixels, path)
    shape = _cut_out(values, pixels.alpha, path)
    if shape is not None:
        note = "all that shows has one colour, so its alpha is the mask"
        return Meaning(shape, note, orientation=pixels.header.orientation if turn else 1)
    inside, note = _by_value(values, pixels.header.lossy, path)
    return Meaning(inside, note, palette_colours(pixels), pixels.header.orientation if turn else 1)


def _levels_of_one_class(pixels: MaskPixels, path: Path) -> Values:
    """Zero outside, for a gray image, and for a palette whose background can be told."""
    stored, shown = pixels.stored, pixels.shown
    if pixels.header.white_is_zero and len(distinct(shown)) > 1 and shown.all():
        raise DataError(f"{path} declares that 0 is white and has no black pixel; {SAVE}")
    if pixels.palette is None:
        if stored is shown or pixels.alpha is not None:
            return shown
        return stored if _looks_alike(stored, shown, path) else shown
    used = distinct(stored)
    colours = pixels.palette[used].astype(int)
    neutral = np.ptp(colours, axis=1) == 0
    if neutral.all():
        levels = np.ascontiguousarray(pixels.palette[:, 0][stored])
        return stored if _looks_alike(stored, levels, path) else levels
    _refuse_unclear_background(pixels.palette, used, path)
    return stored


def _looks_alike(stored: Values, shown: Values, path: Path) -> bool:
    """True if all numbers of a file look the same, so that only the numbers can mean something."""
    numbers, levels = distinct(stored), distinct(shown)
    if len(levels) == len(numbers):
        return False
    if len(levels) == 1:
        return True
    raise DataError(f"{path}: its palette gives several indices the same colour; {SAVE}")


def _refuse_unclear_background(
    palette: NDArray[np.uint8], used: NDArray[np.int64], path: Path
) -> None:
    """Index 0 of a coloured palette is the background, unless its colours say otherwise.

    Palettes chosen by a program have no pure black and gray; those of classes may have near black
    ones beside the black of index 0.
    """
    others = palette[[each for each in used if each]].astype(int)
    zero = palette[0].astype(int)
    black = (others <= (0 if zero.max() <= _NEARLY else _NEARLY)).all(axis=1)
    gray = np.ptp(others, axis=1) <= _NEARLY
    if black.any() or (np.ptp(zero) > _NEARLY and gray.any()):
        raise DataError(
            f"{path}: index 0 of its palette is #{bytes(palette[0]).hex()}, and other indices are "
            f"black or gray, so its background is unclear; {SAVE}, 0 outside"
        )


def _cut_out(
    values: Values, alpha: NDArray[np.uint8] | None, path: Path
) -> NDArray[np.bool_] | None:
    """The shape in an alpha channel, where the visible colours are one; None: colours count."""
    if alpha is None:
        return None
    visible = alpha > 0
    if not visible.any():
        return visible if int(np.ptp(values)) == 0 and values.any() else None
    seen, hidden = values[visible], values[~visible]
    if int(np.ptp(seen)) > 0:
        if hidden.any():
            raise DataError(f"{path}: transparent pixels hide values of the mask; {SAVE}")
        return None
    if visible.all():
        if int(np.ptp(alpha)) == 0:
            return None
        raise DataError(f"{path} has one colour and no transparent pixel; {SAVE}")
    shape = np.asarray(alpha >= 128)
    if not shape.any():
        raise DataError(f"{path}: no pixel of its alpha channel is half opaque or more; {SAVE}")
    if seen[0] and not hidden.any() and np.array_equal(shape, values != 0):
        return None
    return shape


def _by_value(values: Values, lossy: str, path: Path) -> tuple[NDArray[np.bool_], str]:
    found = distinct(values)
    most, several = int(found[-1]), len(found[found > 0]) > 1
    white = 255 if most <= 255 else 65535
    half = (white + 1) // 2
    if not lossy and not several:
        return np.asarray(values != 0), ""
    dim = most < half and len(found) <= _FEW  # numbers of objects, rather than shades of gray
    if lossy or (not dim and is_soft(values)):
        if 0 < most < half:
            raise DataError(
                f"{path} has blurred values up to {most}, and none reaches half of white ({half}); "
                f"{SAVE} of 0 and {white}"
            )
        why = f"{lossy}: blurred" if lossy else "many values that blend into each other"
        return np.asarray(values >= half), f"{why}, {half} and more count as inside"
    if found[0] > 0:
        return np.asarray(values != 0), "several values, none of them 0: all of it counts as inside"
    return np.asarray(values != 0), "several values, all but 0 count as inside"
