"""How far a network's answer moves when its image does."""

from __future__ import annotations

import torch
from torch import nn

MOVED = 64
"""Pixels by which the image is moved to the right."""


def answered_shift(network: nn.Module, height: int, width: int) -> int:
    """The shift, of 0, 4, …, 128 pixels, that tells the answer to a small square from that to the
    square moved by `MOVED`. It is `MOVED` for a network that stretches nothing.

    height, width: of the image; its middle half is looked at, far from the zeros beyond the edges.
    """
    images = torch.zeros(1, 3, height, width)
    square = slice(height // 2 - 8, height // 2 + 8), slice(width // 2 - 40, width // 2 - 24)
    images[..., square[0], square[1]] = 1
    with torch.no_grad():
        still = network(torch.zeros_like(images))
        here = network(images) - still
        there = network(images.roll(MOVED, dims=3)) - still
    middle = slice(width // 4, 3 * width // 4)

    def difference(shift: int) -> float:
        before = here[..., middle.start - shift : middle.stop - shift]
        return float((before - there[..., middle]).square().mean())

    return min(range(0, 2 * MOVED + 1, 4), key=difference)
