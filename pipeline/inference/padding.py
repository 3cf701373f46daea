"""Mirror padding up to the sizes that an encoder takes, and the exact way back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Crop:
    """Where an image lies inside its padded self."""

    top: int
    left: int
    height: int
    width: int

    def __call__(self, maps: Tensor) -> Tensor:
        """NCHW maps of the padded image -> NCHW maps of the image itself."""
        rows = slice(self.top, self.top + self.height)
        return maps[..., rows, self.left : self.left + self.width]


def pad_to_multiple(images: Tensor, multiple: int | tuple[int, int]) -> tuple[Tensor, Crop]:
    """Pad NCHW images on all sides, as evenly as can be, to the next multiples of (h, w).

    Pixels mirror about the border pixel (OpenCV's BORDER_REFLECT_101), again and again where the
    padding is wider than the image. Images that fit already come back as they are.
    """
    multiples = (multiple, multiple) if isinstance(multiple, int) else multiple
    height, width = images.shape[-2:]
    missing_rows, missing_columns = -height % multiples[0], -width % multiples[1]
    crop = Crop(missing_rows // 2, missing_columns // 2, height, width)
    if missing_rows:
        rows = reflected(height, crop.top, missing_rows - crop.top, images.device)
        images = images.index_select(-2, rows)
    if missing_columns:
        columns = reflected(width, crop.left, missing_columns - crop.left, images.device)
        images = images.index_select(-1, columns)
    return images, crop


def reflected(size: int, before: int, after: int, device: torch.device | None = None) -> Tensor:
    """Which of `size` pixels stands at each place of a mirrored line: int64, before+size+after.

    Made on `device`: a copy from the host would wait for all that the device has still to do.
    """
    period = max(1, 2 * (size - 1))
    places = torch.arange(-before, size + after, device=device) % period
    return torch.minimum(places, period - places) if size > 1 else torch.zeros_like(places)
