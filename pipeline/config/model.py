"""The network of one entry of `models`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.config.auxiliary import Auxiliaries
from pipeline.config.base import Block

ReferenceUse = Literal["concat", "difference", "siamese", "none"]


class ModelSpec(Block):
    """One encoder in one decoder."""

    decoder: str = Field(max_length=200)
    """Name of the decoder. `vanilla` is short for the plain U-Net on VGG-16 from random weights."""
    encoder: str = Field(max_length=200)
    """A timm name, `package.module:factory`, or two stitched: `resnet34[:2] + densenet121[2:]`."""
    weights: str | None = "pretrained"
    """null: random weights; pretrained: from an installed package that carries them, then from
    timm's cache or hub (the network of a factory is used unchanged); or the path of a file or of
    a folder of files. A file may hold an encoder, or a whole model: of SMP (unet, unetplusplus,
    manet) or of a run."""
    allow_partial: bool = False
    """true: load the weights that fit and list those that do not; false: refuse."""
    output_stride: Literal[8, 16, 32] | None = None
    """How far pspnet and deeplabv3plus let the backbone shrink the image: 8 or 16 dilates its last
    stages, 32 is the light variant; null: that of the paper (8 and 16) where that is possible."""
    reference: ReferenceUse = "concat"
    """Use of the aligned reference, where the data has one. concat: its channels after those of the
    image; difference: the image, and by how much it differs; siamese: one encoder sees each of the
    two, and their features are joined; none: the image alone."""
    auxiliary: Auxiliaries = ()
    """What is learned beside the masks, such as `[{name: deep_supervision}, {name: centre}]`, see
    [Auxiliary outputs](auxiliary.md)."""

    @model_validator(mode="before")
    @classmethod
    def _spelt_out(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("decoder") == "vanilla":
            return {"encoder": "vgg16_bn", "weights": None, **values, "decoder": "unet"}
        return values
