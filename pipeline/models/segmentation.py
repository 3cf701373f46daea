"""The whole model: pad, encode, decode, crop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from pipeline.channels import RGB, Channels
from pipeline.config.limits import SMALLEST_SIDE
from pipeline.models.auxiliary.heads import AuxiliaryHeads, Features
from pipeline.models.auxiliary.levels import tapped
from pipeline.models.band_input import BandInput
from pipeline.models.crf_rnn import CrfRnnLayers
from pipeline.models.decoders.parts import Parts
from pipeline.models.encoder import Encoder
from pipeline.models.image_input import ImageInput
from pipeline.models.padding import repeat_to_multiple
from pipeline.models.scales import AttentionToScale


class Trained(NamedTuple):
    """What a model with auxiliary outputs returns in training."""

    logits: Tensor
    auxiliary: Tensor | None
    """Of the decoder's own auxiliary head, where it has one."""
    outputs: dict[str, Any]
    """By label: a tensor, or one a level."""
    scales: Sequence[Tensor] = ()
    """Logits of each scale by itself, where these are trained too."""


class Pass(NamedTuple):
    """What the network computes of images at one scale."""

    features: list[Tensor]
    levels: list[Tensor]
    decoded: Tensor
    logits: Tensor


class SegmentationModel(nn.Module):
    """Images N x C x H x W float, any H, W >= 32 -> logits N x classes x H x W.

    Values are 0..1 for images in colour; a network that is shown bands normalises them itself.
    In training a model with an auxiliary head returns (logits, auxiliary logits) of the same
    shape, the second to be weighted by `auxiliary_weight`; with `outputs`, and with scales that are
    trained by themselves, `Trained`.
    """

    def __init__(
        self, encoder: Encoder | ImageInput, parts: Parts, channels: Channels = RGB
    ) -> None:
        super().__init__()
        self.in_channels = channels.total
        self.bands: BandInput | None = None
        if channels.shown is not None:
            mean, std = (_of_all(each, channels.seen.total) for each in (encoder.mean, encoder.std))
            self.bands = BandInput(channels, mean, std)
        self.encoder = encoder
        self.decoder = parts.decoder
        self.head = parts.head
        self.auxiliary = parts.auxiliary
        self.auxiliary_weight = parts.auxiliary_weight
        self.outputs: AuxiliaryHeads | None = None
        self.scales: AttentionToScale | None = None
        self.crf: CrfRnnLayers | None = None

    @property
    def step(self) -> int:
        """H and W that are multiples of it need no padding."""
        step = self.encoder.step * (self.scales.step if self.scales else 1)
        return math.lcm(step, self.crf.stride) if self.crf else step

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor] | Trained:
        _check(images, self.in_channels)
        if self.bands is not None:
            images = self.bands(images)
        height, width = images.shape[2:]
        padded = repeat_to_multiple(images, self.step)
        if self.scales is None:
            features, levels, decoded, logits = self._pass(padded)
            by_scale = []
        else:
            passes = [self._pass(each) for each in self.scales.sizes_of(padded)]
            features, levels, decoded, _ = passes[0]
            logits, by_scale = self.scales(
                [each.decoded for each in passes], [each.logits for each in passes]
            )
        if self.crf is not None:
            logits = self.crf(logits, self._normalised(padded))
        logits = logits[..., :height, :width]
        assert logits.shape[2:] == images.shape[2:], f"logits {logits.shape} of {images.shape}"
        deepest = features[-1] if features else decoded
        given = Features(levels, decoded, deepest, padded.shape[2:], images.shape[2:])
        if not self.training:
            shown = self.outputs is not None and self.outputs.shown
            return self.outputs.beside(logits, given) if self.outputs and shown else logits
        auxiliary = None
        if self.auxiliary is not None:
            auxiliary = self.auxiliary(features[-2])[..., :height, :width]
        if self.outputs is not None:
            return Trained(logits, auxiliary, self.outputs(given))
        if self.scales is not None and self.scales.supervise:
            cropped = [each[..., :height, :width] for each in by_scale]
            return Trained(logits, auxiliary, {}, cropped)
        return logits if auxiliary is None else (logits, auxiliary)

    def _normalised(self, images: Tensor) -> Tensor:
        """The image without its reference, as the encoder normalises it."""
        own = images[:, : self.encoder.image_channels]
        mean, std = (_of_all(each, own.shape[1]) for each in (self.encoder.mean, self.encoder.std))
        return (own - mean) / std

    def _pass(self, padded: Tensor) -> Pass:
        features = self.encoder(padded)
        wanted = () if self.outputs is None or not self.training else self.outputs.taps
        with tapped(self.decoder, wanted) as levels:
            decoded = self.decoder([self.encoder.shown(padded), *features])
        return Pass(features, levels, decoded, self.head(decoded))


def _of_all(statistic: Tensor, channels: int) -> Tensor:
    """The encoder's statistic of each channel that a network is given, 1 x channels x 1 x 1."""
    places = [channel % statistic.shape[1] for channel in range(channels)]
    return statistic[:, places]


def _check(images: Tensor, channels: int) -> None:
    shape = tuple(images.shape)
    assert images.ndim == 4 and shape[1] == channels, f"images {shape}: N x {channels} x H x W"
    assert min(shape[2:]) >= SMALLEST_SIDE, f"images {shape}: H and W of at least {SMALLEST_SIDE}"
