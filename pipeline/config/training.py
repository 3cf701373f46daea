"""The `input`, `train` and `infer` blocks; a model may override any key of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.augmentation import AugmentConfig
from pipeline.config.bands import BandName, ChosenBand, RuleText
from pipeline.config.base import Block, check_names
from pipeline.config.choices import (
    CacheWish,
    Codec,
    MapDtype,
    Mean,
    PrecisionWish,
    TileWeights,
)
from pipeline.config.limits import Count, CropSize, ImageSize

MOST_WORKERS = 256
MOST_MIB = 2**22


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


class ValidateConfig(Block):
    """After which epochs the held-out fold is scored; the last one always is.

    Scores are for people to look at: which weights are used does not depend on them.
    """

    every: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = "auto"
    """Number of epochs from one score to the next; auto: as few as keep scoring below 5 % of the
    training; the last epoch always has a score."""
    last: int | None = Field(None, ge=1, le=100_000)
    """Score only the last so many epochs, instead of `every`."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ValidateConfig:
        if self.last is not None and self.every != "auto":
            raise ValueError("takes every or last, not both")
        return self


class TrainConfig(Block):
    """How one member is trained."""

    size: CropSize = (256, 256)
    """[H, W] of the random crop; smaller images are padded by reflection."""
    batch: Count = 8
    """Samples a step."""
    epochs: int = Field(20, ge=1, le=100_000)
    """Number of epochs; the weights after the last one are used."""
    steps: int | None = Field(None, ge=1, le=100_000)
    """Steps an epoch; null: enough to see every image once."""
    optimizer: str = "adamw"
    """`adamw` or `sgd`, or another of `training.optimizers`."""
    lr: float | None = Field(None, ge=1e-12, le=100)
    """Peak of the learning rate; null: that of the optimizer (3e-4 for adamw, 1e-2 for sgd)."""
    schedule: str = "cosine"
    """Schedule of the learning rate after warm-up: `cosine` or `constant`, or another of
    `training.schedules`."""
    weight_decay: float = Field(1e-4, ge=0, le=100)
    """Weight decay; biases and normalisation parameters are not decayed."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of all steps during which the learning rate grows."""
    clip: float | None = Field(1.0, ge=1e-6, le=1e6)
    """Largest norm of the gradient; null: gradients are not clipped."""
    loss: dict[str, Annotated[float, Field(ge=1e-6, le=1e6)]] | None = None
    """Weights of named losses, such as `{bce: 1, dice: 1}`; null: bce + dice, and ce + dice with
    `data.multiclass`."""
    ema: float | None = Field(0.998, gt=0, lt=1)
    """Decay of the moving average of the weights, which predicts; null: the plain weights
    predict."""
    precision: PrecisionWish = "auto"
    """Number format; auto: bf16 on a GPU that has it, else fp16, and fp32 on a CPU."""
    workers: int | Literal["auto"] = "auto"
    """Loader processes a job; auto: none on a CPU, and with an accelerator one for each core of the
    job, as long as each has work."""
    threads: int | Literal["auto"] = "auto"
    """CPU threads a training computes with; auto: the cores of the job, at most OMP_NUM_THREADS."""
    cache: CacheWish = "auto"
    """Where decoded samples are kept. disk: in `runs/<name>/decoded`, for all epochs, folds and
    models; memory, or a number of MiB: in the memory of each job; off: nowhere; auto: disk where
    they take at most half of what is free there, else memory."""
    validate_: ValidateConfig = Field(ValidateConfig(), alias="validate")
    """After which epochs the held-out fold is scored: `{every: n}` or `{last: n}`."""
    save_minutes: float = Field(10, gt=0)
    """Minutes between two saves of the state, besides the one after each epoch."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of initial weights, sampling and augmentation."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of a training sample."""

    @field_validator("optimizer", "schedule")
    @classmethod
    def _known_name(cls, name: str, info: ValidationInfo) -> str:
        check_names(str(info.field_name), [name], info)
        return name

    @field_validator("loss")
    @classmethod
    def _known_losses(
        cls, loss: dict[str, float] | None, info: ValidationInfo
    ) -> dict[str, float] | None:
        if loss is not None and not loss:
            raise ValueError("needs at least one loss")
        check_names("loss", loss or (), info)
        return loss

    @field_validator("cache")
    @classmethod
    def _within_memory(cls, cache: int | str) -> int | str:
        if isinstance(cache, int) and not 0 <= cache <= MOST_MIB:
            raise ValueError(f"must be 0 to {MOST_MIB} MiB, or auto, disk, memory or off")
        return cache

    @field_validator("threads")
    @classmethod
    def _one_or_more(cls, threads: int | str) -> int | str:
        if isinstance(threads, int) and not 1 <= threads <= MOST_WORKERS:
            raise ValueError(f"must be 1 to {MOST_WORKERS}, or auto")
        return threads

    @field_validator("workers")
    @classmethod
    def _few_or_none(cls, workers: int | str) -> int | str:
        if isinstance(workers, int) and not 0 <= workers <= MOST_WORKERS:
            raise ValueError(f"must be 0 to {MOST_WORKERS}, or auto")
        return workers


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
