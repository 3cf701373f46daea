"""The `input` block: what a network is shown. A model may override any key."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline.config.bands import BandName, ChosenBand, RuleText
from pipeline.config.base import Block
from pipeline.config.limits import ImageSize


class InputConfig(Block):
    """The network input, in training and inference alike."""

    resize: float | ImageSize | None = None
    """Factor or [H, W] to which images are resized. Maps come back at the size of the image."""
    bands: tuple[ChosenBand, ...] | None = Field(None, min_length=1, max_length=256)
    """The bands that the network is shown, in this order; null: all. Pretrained networks expect
    colours first: red, green, blue."""
    normalise: RuleText | dict[BandName, RuleText] | None = None
    """How values become those that the network is shown, for all bands or by band. zscore: mean 0
    and deviation 1; minmax, percentile(1, 99): the lowest value to the highest as 0..1, measured;
    range(low, high), window(centre, width): the same, given; encoder: 0..255, as its
    pretraining was. Statistics are those of the member's own training images. null: encoder for
    8-bit RGB, zscore for data.bands."""

    @field_validator("resize")
    @classmethod
    def _grows_or_shrinks(cls, resize: float | ImageSize | None) -> float | ImageSize | None:
        if isinstance(resize, float) and not 0.01 <= resize <= 16:
            raise ValueError("must be a factor between 0.01 and 16, or [H, W]")
        return resize
