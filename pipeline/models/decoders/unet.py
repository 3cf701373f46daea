"""U-Net (Ronneberger et al. 2015)."""

from __future__ import annotations

from typing import Literal

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from pipeline.models.decoders.attention import NonLocal, end_in_attention
from pipeline.models.decoders.enlarging import enlarging
from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import IMAGE_CHANNELS, WIDTHS, Features, Parts


def unet(
    features: Features,
    classes: int,
    *,
    scse: bool = False,
    non_local: bool = False,
    upsampling: Literal["nearest", "transposed", "bilinear", "resize", "shuffle"] = "nearest",
) -> Parts:
    """U-Net (Ronneberger et al. 2015).

    scse: each block ends in attention. non_local: the deepest feature passes a
    non-local block. upsampling: how a map is doubled, by a layer of its own or by its nearest cell.
    """
    channels = [IMAGE_CHANNELS, *features.channels]
    decoder = UnetDecoder(channels, WIDTHS, add_center_block=features.ends_with_pool)
    if scse:
        end_in_attention(decoder.blocks)
    deepest = features.channels[-1]
    if non_local:
        decoder.center = nn.Sequential(decoder.center, NonLocal(deepest))
    if upsampling != "nearest":
        widths = zip([deepest, *WIDTHS], decoder.blocks, strict=False)
        decoder.blocks = nn.ModuleList(
            _Enlarged(enlarging(upsampling, width, width), block) for width, block in widths
        )
    return Parts(decoder, head(WIDTHS[-1], classes, kernel=3))


class _Enlarged(nn.Module):
    """A block of SMP, whose own enlargement does nothing to a map that has its size."""

    def __init__(self, enlarge: nn.Module, block: nn.Module) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.block = block

    def forward(
        self, x: Tensor, height: int, width: int, skip_connection: Tensor | None = None
    ) -> Tensor:
        decoded: Tensor = self.block(self.enlarge(x), height, width, skip_connection)
        return decoded
