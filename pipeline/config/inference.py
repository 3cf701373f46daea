"""The `infer` block: how members predict. A model may override any key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.config.base import Block, check_names
from pipeline.config.choices import Codec, MapDtype, Mean, PrecisionWish, TileWeights
from pipeline.config.limits import Count, ImageSize


class TileConfig(Block):
    """Prediction of large images in overlapping tiles."""

    size: ImageSize
    """[H, W] of a tile; it bounds the memory, see [Large images](storage.md#large-images)."""
    overlap: float = Field(0.25, ge=0, le=0.95)
    """Share of a tile that overlaps with its neighbour."""
    weights: TileWeights = "gaussian"
    """How much the pixels of a tile count where tiles overlap."""


class InferConfig(Block):
    """How members predict."""

    tta: tuple[str, ...] = Field(("identity", "hflip"), min_length=1, max_length=64)
    """Views for test-time augmentation, see [Prediction](stages.md#infer)."""
    mean: Mean = "arithmetic"
    """Mean over views and folds; `rank` is for `ensemble.mean` only."""
    axes: tuple[Literal["z", "y", "x"], ...] | None = Field(None, min_length=1, max_length=3)
    """Axes along which volumes are sliced for prediction, such as `[z, y, x]`: the probabilities
    are averaged. For voxels that are cubes; needs `data.volume`. null: as trained."""
    tile: TileConfig | None = None
    """Predict large images in overlapping tiles; `[H, W]` alone gives their size."""
    batch: Count = 8
    """Images a forward pass on an accelerator; on a CPU it is one, so that results are
    bit-equal."""
    precision: PrecisionWish = "auto"
    """Number format; auto: bf16 on a GPU that has it, else fp16, and fp32 on a CPU."""
    channels_last: bool = True
    """Memory layout of the network: NHWC, which most devices compute faster."""
    compile: bool = False
    """Compile the network with `torch.compile`."""
    dtype: MapDtype = "uint8"
    """How a probability is stored in the maps."""
    codec: Codec = "raw"
    """Compression of the stored maps; blosc2 needs the extra `compressed`."""

    @field_validator("tta")
    @classmethod
    def _known_views(cls, tta: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_names("tta", [tta], info)
        return tta

    @field_validator("axes")
    @classmethod
    def _each_once(cls, axes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if axes is not None and len(set(axes)) != len(axes):
            raise ValueError("an axis stands twice")
        return axes

    @field_validator("mean")
    @classmethod
    def _of_one_image(cls, mean: Mean) -> Mean:
        if mean == "rank":
            raise ValueError("rank is a mean over models; set ensemble.mean: rank instead")
        return mean

    @field_validator("tile", mode="before")
    @classmethod
    def _size_alone(cls, tile: Any) -> Any:
        return {"size": tile} if isinstance(tile, list | tuple) else tile
