"""Shared by the tests of the whole networks: random networks, narrow where they can be."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from pipeline.models.decoders.parts import Parts
from pipeline.models.networks.registry import NETWORKS, build_network
from pipeline.models.padding import repeat_to_multiple

NARROW: dict[str, dict[str, int]] = {
    "unet_original": {"width": 4},
    "segnet": {"width": 4},
    "vnet": {"width": 4},
}
"""Options that make a network small without changing its structure."""


class Whole(nn.Module):
    """Images of any size -> logits, as a model computes them."""

    def __init__(self, name: str, classes: int = 2, image: int = 3, **options: object) -> None:
        super().__init__()
        parts = build_network(name, image, classes, {**NARROW.get(name, {}), **options})
        self.decoder, self.head, self.step = parts.decoder, parts.head, NETWORKS[name].step

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = repeat_to_multiple(images, self.step)
        logits: Tensor = self.head(self.decoder([padded]))
        assert logits.shape[2:] == padded.shape[2:]
        return logits[..., :height, :width]


def whole(name: str, classes: int = 2, image: int = 3, **options: object) -> Whole:
    """A network with random weights, always the same, in eval mode."""
    torch.manual_seed(0)
    return Whole(name, classes, image, **options).eval()


@cache
def shared_whole(name: str) -> Whole:
    """A network that tests share, so not to be changed."""
    return whole(name)


@cache
def on_meta(name: str, classes: int = 2, image: int = 3, **options: object) -> Parts:
    """The parts of a network as published, without memory: shapes and counts cost nothing.

    Shared, so not to be changed.
    """
    with torch.device("meta"):
        parts = build_network(name, image, classes, options)
    parts.decoder.eval()
    return parts
