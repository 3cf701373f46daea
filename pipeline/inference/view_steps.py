"""The parts that views are made of, each with its exact way back, and the names they go by.

A new transform is one entry in `SYMMETRIES`, `GROUPS` or `PARAMETRISED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from pipeline.size import Size


class ViewStep(Protocol):
    """One part of a view."""

    def apply(self, images: Tensor) -> Tensor:
        """NCHW images in 0..1 -> the changed images, NCHW in 0..1."""

    def undo(self, maps: Tensor, size: Size, /) -> Tensor:
        """NCHW maps of changed images -> NCHW at the (H, W) that the images had before."""

    def output_size(self, size: Size) -> Size:
        """(H, W) of an image -> (H, W) of the changed image."""


@dataclass(frozen=True)
class Symmetry:
    """An element of D4, the symmetries of the square: a transpose, then flips; bit-exact."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def apply(self, images: Tensor) -> Tensor:
        return self._flip(images.transpose(-2, -1) if self.transpose else images)

    def undo(self, maps: Tensor, _size: Size) -> Tensor:
        unflipped = self._flip(maps)
        return unflipped.transpose(-2, -1) if self.transpose else unflipped

    def output_size(self, size: Size) -> Size:
        return (size[1], size[0]) if self.transpose else size

    def _flip(self, x: Tensor) -> Tensor:
        dims = [-2] * self.flip_rows + [-1] * self.flip_columns
        return x.flip(dims) if dims else x


@dataclass(frozen=True)
class Scale:
    """Bilinear resize by a factor (pixel centres, no antialias); no side falls below 1 pixel."""

    factor: float

    def apply(self, images: Tensor) -> Tensor:
        return _resize(images, self.output_size((images.shape[-2], images.shape[-1])))

    def undo(self, maps: Tensor, size: Size) -> Tensor:
        return _resize(maps, size)

    def output_size(self, size: Size) -> Size:
        return max(1, round(size[0] * self.factor)), max(1, round(size[1] * self.factor))


@dataclass(frozen=True)
class ValueChange:
    """A change of values only, clipped to 0..1: every pixel stays where it is."""

    function: Callable[[Tensor, float], Tensor]
    amount: float

    def apply(self, images: Tensor) -> Tensor:
        return self.function(images, self.amount).clamp(0, 1)

    def undo(self, maps: Tensor, _size: Size) -> Tensor:
        return maps

    def output_size(self, size: Size) -> Size:
        return size


@dataclass(frozen=True)
class Parametrised:
    """A transform written `name:value`, the values it takes, and the one that changes nothing.

    example: a value for messages.
    """

    make: Callable[[float], ViewStep]
    low: float
    high: float
    neutral: float
    example: float


def _resize(x: Tensor, size: Size) -> Tensor:
    # Rounding in the kernel can leave the range of its input by a unit in the last place.
    resized = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=False)
    return resized.clamp(0, 1)


def _brighten(images: Tensor, shift: float) -> Tensor:
    return images + shift


def _raise(images: Tensor, exponent: float) -> Tensor:
    return images**exponent


def _brightness(shift: float) -> ViewStep:
    return ValueChange(_brighten, shift)


def _gamma(exponent: float) -> ViewStep:
    return ValueChange(_raise, exponent)


SYMMETRIES: dict[str, ViewStep] = {
    "identity": Symmetry(),
    "hflip": Symmetry(flip_columns=True),
    "vflip": Symmetry(flip_rows=True),
    "rot180": Symmetry(flip_rows=True, flip_columns=True),
    "transpose": Symmetry(transpose=True),
    # Turns are anticlockwise, as in numpy.rot90 and torch.rot90.
    "rot90": Symmetry(transpose=True, flip_rows=True),
    "rot270": Symmetry(transpose=True, flip_columns=True),
    "antitranspose": Symmetry(transpose=True, flip_rows=True, flip_columns=True),
}
GROUPS: dict[str, tuple[str, ...]] = {
    "flips": ("identity", "hflip", "vflip", "rot180"),
    "d4": tuple(SYMMETRIES),
}
PARAMETRISED: dict[str, Parametrised] = {
    "scale": Parametrised(Scale, low=0.1, high=4, neutral=1, example=1.25),
    "brightness": Parametrised(_brightness, low=-0.5, high=0.5, neutral=0, example=0.1),
    "gamma": Parametrised(_gamma, low=0.2, high=5, neutral=1, example=0.9),
}
