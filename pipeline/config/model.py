"""The network of one entry of `models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from pipeline.config.auxiliary import Auxiliaries
from pipeline.config.base import Block
from pipeline.config.crf_rnn import CrfRnn
from pipeline.config.scales import Scales

ReferenceUse = Literal["concat", "difference", "siamese", "none"]


class ModelSpec(Block):
    """One encoder in one decoder, or a whole network."""

    network: str | None = Field(None, max_length=200)
    """Name of a network that has no encoder to choose, instead of `decoder` and `encoder`, see
    [Whole networks](models.md#whole-networks)."""
    decoder: str | None = Field(None, max_length=200, validate_default=True)
    """Name of the decoder. `vanilla` is short for the plain U-Net on VGG-16 from random weights."""
    encoder: str | None = Field(None, max_length=200, validate_default=True)
    """A timm name, `package.module:factory`, or two stitched: `resnet34[:2] + densenet121[2:]`."""
    options: dict[str, bool | int | float | str] = Field({}, max_length=20)
    """What the decoder or the network can be told, such as `{k: 15}`, see
    [Models](models.md#options)."""
    weights: str | None = "pretrained"
    """null: random weights; pretrained: from an installed package that carries them, then from
    timm's cache or hub (the network of a factory is used unchanged); or the path of a file or of
    a folder of files. A file may hold an encoder, or a whole model: of SMP (unet, unetplusplus,
    manet; fpn, upernet, pspnet, deeplabv3plus with options: {align: smp}) or of a run. A whole
    network has no pretrained ones: null is its default."""
    allow_partial: bool = False
    """true: load the weights that fit and list those that do not; false: refuse."""
    output_stride: Literal[8, 16, 32] | None = None
    """How far pspnet and deeplabv3plus let the backbone shrink the image: 8 or 16 dilates its last
    stages, 32 is the light variant; null: that of the paper (8 and 16) where that is possible."""
    reference: ReferenceUse = "concat"
    """Use of the aligned reference, where the data has one. concat: its channels after those of the
    image; difference: the image, and by how much it differs; siamese: one encoder sees each of the
    two, and their features are joined; none: the image alone."""
    scales: Scales | None = None
    """The network at several sizes of the image, such as `{at: [1, 0.5]}`, see
    [Scales](models.md#scales); null: at one."""
    crf_rnn: CrfRnn | None = None
    """A mean field as the network's last layers, such as `{radius: 5}`, see
    [CRF as layers](models.md#crf-as-layers); null: none."""
    auxiliary: Auxiliaries = ()
    """What is learned beside the masks, such as `[{name: deep_supervision}, {name: centre}]`, see
    [Auxiliary outputs](auxiliary.md)."""

    @model_validator(mode="before")
    @classmethod
    def _spelt_out(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("decoder") == "vanilla":
            return {"encoder": "vgg16_bn", "weights": None, **values, "decoder": "unet"}
        if isinstance(values, dict) and values.get("network") is not None:
            return {"weights": None, **values}
        return values

    @field_validator("decoder", "encoder")
    @classmethod
    def _is_given(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None and info.data.get("network", "") is None:
            raise PydanticKnownError("missing")
        return name

    @model_validator(mode="after")
    def _one_kind_of_supervision(self) -> Self:
        if self.scales is not None and self.auxiliary:
            raise ValueError(
                "scales: a network at several scales has no auxiliary outputs; leave out "
                "`auxiliary`, or `scales`"
            )
        return self

    @model_validator(mode="after")
    def _is_one_network(self) -> Self:
        if self.network is not None:
            parts = {"decoder": self.decoder, "encoder": self.encoder}
            self._check_whole([key for key, value in parts.items() if value is not None])
        return self

    def _check_whole(self, given: Sequence[str]) -> None:
        """ValueError for what only encoders and decoders can do."""
        beside = [*given, *(["output_stride"] if self.output_stride is not None else [])]
        if beside:
            raise ValueError(
                f"network: {self.network} is a whole network; leave out {' and '.join(beside)}"
            )
        if self.weights == "pretrained":
            raise ValueError(
                f"network: {self.network} has no pretrained weights; leave out `weights`, or give "
                "a file of such a network"
            )
        if self.reference == "siamese":
            raise ValueError(
                f"reference: siamese joins the features of an encoder, and network: {self.network} "
                "has none; set reference: concat or difference"
            )

    @property
    def title(self) -> str:
        """What people call it: `segnet`, `resnet34 in unet`."""
        one = self.network or f"{self.encoder} in {self.decoder}"
        if self.scales is None:
            return one
        return f"{one} at {', '.join(f'{each:g}' for each in self.scales.at)}"
