"""The network of one entry of `models`."""

from __future__ import annotations

from typing import Literal

from pipeline.config.base import Block


class ModelSpec(Block):
    """One encoder in one decoder."""

    decoder: str
    encoder: str
    """A timm name, `package.module:factory`, or two stitched: `resnet34[:2] + densenet121[2:]`."""
    weights: str | None = "pretrained"
    """null: random; pretrained: an installed package, timm's cache or hub; or a file or folder."""
    allow_partial: bool = False
    """Load what fits of the weights and say what does not, instead of refusing."""
    output_stride: Literal[8, 32] | None = None
    """pspnet alone: 8 dilates the last stages as in its paper, 32 is light; null: 8 if possible."""
    siamese: bool = False
    """The input holds two images stacked on the channels; one encoder sees each of them."""
