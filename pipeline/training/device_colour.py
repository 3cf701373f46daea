"""Random colour on the device: drawn as on a CPU, computed where the network is.

On a machine with few cores for its GPU, colour is half of what a sample's augmentation costs.
Flips stay on the CPU: they are part of the one warp that cuts a crop, and cost nothing there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from pipeline.training.drawn_colour import UNCHANGED

_CHANGES: tuple[Callable[[Tensor, float], Tensor], ...] = (
    V.adjust_brightness,
    V.adjust_contrast,
    V.adjust_saturation,
    V.adjust_hue,
)


def change_colours(images: Tensor, drawn: Tensor) -> Tensor:
    """N×C×H×W uint8 on any device, with each three channels changed as `drawn` says.

    drawn: N×(C/3)×8 on the CPU, a `Drawn` each. The formulas are those of albumentations, whose
    rounding is OpenCV's: values differ by few levels.
    """
    return torch.stack(
        [
            torch.cat([_changed(*pair) for pair in zip(image.split(3), numbers, strict=True)])
            for image, numbers in zip(images, drawn.tolist(), strict=True)
        ]
    )


def _changed(image: Tensor, drawn: list[float]) -> Tensor:
    factors, order = drawn[:4], drawn[4:]
    for change in map(int, order):
        if factors[change] != UNCHANGED[change]:
            image = _CHANGES[change](image, factors[change])
    return image
