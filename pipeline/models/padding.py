"""Padding images up to the sizes that a network takes, and cropping its maps back.

The predictor mirrors on all sides, so that the border of an image continues as the image does.
A network then repeats its last row and column for what is still missing to its own step: in
training crops, and where the step does not divide 32. Each kind is part of trained weights and
stored maps, so a change bumps their VERSION.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Crop:
    """The place of an image inside its padded copy."""

    top: int
    left: int
    height: int
    width: int

    def __call__(self, maps: Tensor) -> Tensor:
        """NCHW maps of the padded image -> NCHW maps of the image itself."""
        rows = slice(self.top, self.top + self.height)
        return maps[..., rows, self.left : self.left + self.width]


def mirror_to_multiple(images: Tensor, multiple: int | tuple[int, int]) -> tuple[Tensor, Crop]:
    """Pad NCHW images on all sides, as evenly as possible, to the next multiples of (h, w).

    Pixels mirror about the border pixel (OpenCV's BORDER_REFLECT_101), repeatedly where the
    padding is wider than the image. Images that fit are returned unchanged.
    """
    multiples = (multiple, multiple) if isinstance(multiple, int) else multiple
    height, width = images.shape[-2:]
    missing_rows, missing_columns = -height % multiples[0], -width % multiples[1]
    crop = Crop(missing_rows // 2, missing_columns // 2, height, width)
    if missing_rows:
        rows = mirrored(height, crop.top, missing_rows - crop.top, images.device)
        images = images.index_select(-2, rows)
    if missing_columns:
        columns = mirrored(width, crop.left, missing_columns - crop.left, images.device)
        images = images.index_select(-1, columns)
    return images, crop


def repeat_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until H and W are multiples of `multiple`."""
    bottom, right = -images.shape[2] % multiple, -images.shape[3] % multiple
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images


def mirrored(size: int, before: int, after: int, device: torch.device | None = None) -> Tensor:
    """Index of the pixel, of `size`, at each place of a mirrored line: int64, before+size+after.

    Computed on `device`, since a copy from the host would wait for all pending work of the device.
    """
    period = max(1, 2 * (size - 1))
    places = torch.arange(-before, size + after, device=device) % period
    return torch.minimum(places, period - places) if size > 1 else torch.zeros_like(places)
