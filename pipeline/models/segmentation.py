"""The whole model: pad, encode, decode, crop."""

from __future__ import annotations

from torch import Tensor, nn

from pipeline.config.limits import SMALLEST_SIDE
from pipeline.models.decoders.parts import Parts
from pipeline.models.encoder import Encoder
from pipeline.models.padding import repeat_to_multiple


class SegmentationModel(nn.Module):
    """Images N x C x H x W float 0..1, any H, W >= 32 -> logits N x classes x H x W.

    In training a model with an auxiliary head returns (logits, auxiliary logits) of the same
    shape, the second to be weighted by `auxiliary_weight`.
    """

    def __init__(self, encoder: Encoder, parts: Parts) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = parts.decoder
        self.head = parts.head
        self.auxiliary = parts.auxiliary
        self.auxiliary_weight = parts.auxiliary_weight

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        _check(images, self.encoder.in_channels)
        height, width = images.shape[2:]
        padded = repeat_to_multiple(images, self.encoder.step)
        features = self.encoder(padded)
        logits: Tensor = self.head(self.decoder([padded, *features]))[..., :height, :width]
        assert logits.shape[2:] == images.shape[2:], f"logits {logits.shape} of {images.shape}"
        if self.auxiliary is None or not self.training:
            return logits
        return logits, self.auxiliary(features[-2])[..., :height, :width]


def _check(images: Tensor, channels: int) -> None:
    shape = tuple(images.shape)
    assert images.ndim == 4 and shape[1] == channels, f"images {shape}: N x {channels} x H x W"
    assert min(shape[2:]) >= SMALLEST_SIDE, f"images {shape}: H and W of at least {SMALLEST_SIDE}"
