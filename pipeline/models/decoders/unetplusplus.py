"""U-Net++ (Zhou et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder
from torch import Tensor

from pipeline.models.decoders.attention import NonLocal, end_in_attention
from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, WIDTHS, Features, Parts


def unetplusplus(
    features: Features, classes: int, *, scse: bool = False, non_local: bool = False
) -> Parts:
    """U-Net++ (Zhou et al. 2018).

    scse: each block ends in attention. non_local: the deepest feature passes a
    non-local block.
    """
    channels = [IMAGE_CHANNELS, *features.channels]
    kind = _NonLocal if non_local else UnetPlusPlusDecoder
    decoder = kind(channels, WIDTHS, center=features.ends_with_pool)
    if scse:
        end_in_attention(decoder.blocks.values())
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))


class _NonLocal(UnetPlusPlusDecoder):  # type: ignore[misc]
    """A kind of SMP's decoder, so that its levels keep their names."""

    def __init__(self, channels: Sequence[int], widths: Sequence[int], **options: Any) -> None:
        super().__init__(channels, widths, **options)
        self.attend = NonLocal(channels[-1])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        *finer, deepest = features
        decoded: Tensor = super().forward([*finer, self.attend(deepest)])
        return decoded
