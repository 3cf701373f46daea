"""The meaning of the sides of a stored array, and how a plane is cut out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.pages import RefusedError

ORDER = "ZYXC"
LEFT_OUT = "_"
"""A side of length one that means nothing."""
_MOST_BANDS = 32
_KEY = "axes"
"""The word for it in messages."""


@dataclass(frozen=True)
class Layout:
    """The sides of an array as it is stored, and as it is read: in the order Z, Y, X, C."""

    stored: str
    """A letter a side: of Z, Y, X, C, or `LEFT_OUT`."""
    sides: tuple[int, ...]

    @property
    def axes(self) -> str:
        return "".join(letter for letter in ORDER if letter in self.stored)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.sides[self.stored.index(letter)] for letter in self.axes)

    def cut(self, start: int, stop: int, plane: int) -> tuple[int | slice, ...]:
        """The index of rows start..stop of a plane in the stored array."""
        places: dict[str, int | slice] = {
            LEFT_OUT: 0,
            "Z": plane,
            "Y": slice(start, stop),
        }
        return tuple(places.get(letter, slice(None)) for letter in self.stored)

    def arranged(self, part: NDArray[Any]) -> NDArray[Any]:
        """What `cut` gave, as YX or YXC."""
        left = [letter for letter in self.stored if letter in "YXC"]
        return np.transpose(part, [left.index(letter) for letter in "YXC" if letter in left])


def layout_of(shape: tuple[int, ...], axes: str | None, *, slices: bool = False) -> Layout:
    """The layout of an array without names of its sides. RefusedError where it is not certain.

    Two sides are Y, X. Of three, the last is C if it is 32 or less and less than both others; the
    first is C if that is so of it; anything else may as well be slices, and is to be said by
    `axes`, as are four sides. Sides of length one before the last three mean nothing.

    slices: three sides are Z, Y, X, and it is the last that may not be so short.
    """
    if axes is not None:
        return named_layout(shape, axes)
    bare = shape
    while len(bare) > 3 and bare[0] == 1:
        bare = bare[1:]
    if len(bare) == 2:
        letters = "YX"
    elif slices and len(bare) == 3:
        if may_be_bands(bare[2], bare[:2]):
            raise _unclear(shape)
        letters = "ZYX"
    elif len(bare) == 3 and may_be_bands(bare[2], bare[:2]):
        letters = "YXC"
    elif len(bare) == 3 and may_be_bands(bare[0], bare[1:]):
        letters = "CYX"
    else:
        raise _unclear(shape)
    return Layout(LEFT_OUT * (len(shape) - len(bare)) + letters, shape)


def may_be_bands(side: int, others: tuple[int, ...]) -> bool:
    """True if a side is so short that it is taken for bands."""
    return side <= _MOST_BANDS and side < min(others)


def _unclear(shape: tuple[int, ...]) -> RefusedError:
    sides = "×".join(map(str, shape))
    if len(shape) < 2:
        return RefusedError(f"holds {sides or 'one number'}, which is no image")
    examples = {3: "ZYX or YXZ (slices), YXC or CYX (bands)", 4: "ZYXC or CZYX"}
    return RefusedError(
        f"holds an array of {sides}, and which sides are slices, rows, columns and bands is not "
        f"certain; name them by {_KEY}: {examples.get(len(shape), 'letters of Z, Y, X, C')}"
    )


def named_layout(shape: tuple[int, ...], axes: str) -> Layout:
    """The layout that `axes` names, a letter a side. RefusedError if they do not fit."""
    letters = axes.replace(LEFT_OUT, "")
    if len(set(letters)) != len(letters) or not {"Y", "X"} <= set(letters) <= set(ORDER):
        raise RefusedError(
            f"cannot be read with {_KEY} {axes!r}: use each of Z, Y, X, C at most once, and Y and "
            "X always"
        )
    fits = len(axes) == len(shape) and all(
        side == 1 for letter, side in zip(axes, shape, strict=True) if letter == LEFT_OUT
    )
    if not fits:
        raise RefusedError(
            f"holds an array of {'×'.join(map(str, shape))}, which does not fit {_KEY} {axes!r}: "
            "name each side by a letter"
        )
    return Layout(axes, shape)
