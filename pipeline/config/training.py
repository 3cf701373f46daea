"""The `input`, `train` and `infer` blocks; a model may override any key of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.config.base import Block, check_names
from pipeline.config.choices import (
    Codec,
    MapDtype,
    Mean,
    PrecisionWish,
    TileWeights,
)
from pipeline.config.limits import Count, CropSize, ImageSize, Probability, Weight

MOST_WORKERS = 256


class JitterConfig(Block):
    """How far a reference is moved, at random, from where `align` laid it."""

    shift: float = Field(0, ge=0, le=100)
    """Pixels, each way."""
    rotate: float = Field(0, ge=0, le=180)
    """Degrees, either way."""
    scale: float = Field(0, ge=0, lt=1)
    """Share by which it grows or shrinks."""


class AugmentConfig(Block):
    """Random changes of a training sample; geometry moves image, reference and mask together."""

    flips: tuple[Literal["horizontal", "vertical", "transpose"], ...] = ("horizontal",)
    affine: Probability = 0.7
    """How often a sample is rotated, scaled and shifted."""
    rotate: float = Field(10, ge=0, le=180)
    """Degrees, either way."""
    scale: float = Field(0.15, ge=0, lt=1)
    shift: float = Field(0.06, ge=0, lt=1)
    """Share of the side, either way."""
    colour: Probability = 0.5
    """How often brightness, contrast, hue and saturation change."""
    strength: float = Field(0.2, ge=0, le=1)
    """How much they change, of image and reference each for itself."""
    reference_jitter: JitterConfig = JitterConfig()
    reference_drop: Probability = 0
    """How often the reference is taken for missing, and blank."""


class InputConfig(Block):
    """What a network is shown of an image, in training and inference alike."""

    resize: float | ImageSize | None = None
    """A factor, or H, W. Maps come back at the image's size."""

    @field_validator("resize")
    @classmethod
    def _grows_or_shrinks(cls, resize: float | ImageSize | None) -> float | ImageSize | None:
        if isinstance(resize, float) and not 0.01 <= resize <= 16:
            raise ValueError("a factor between 0.01 and 16, or [H, W]")
        return resize


class TrainConfig(Block):
    """How one member is trained."""

    size: CropSize = (256, 256)
    """H, W of the random crop; smaller images are padded by reflection."""
    batch: Count = 8
    epochs: int = Field(20, ge=1, le=100_000)
    steps: int | None = Field(None, ge=1, le=100_000)
    """Steps an epoch; null: as many as see every image once."""
    optimizer: str = "adamw"
    """adamw or sgd (`training.optimizers`)."""
    lr: float | None = Field(None, ge=1e-12, le=100)
    """Peak of the learning rate; null: the optimizer's own (3e-4 for adamw, 1e-2 for sgd)."""
    schedule: str = "cosine"
    """What the learning rate does after warm-up: cosine or constant (`training.schedules`)."""
    weight_decay: float = Field(1e-4, ge=0, le=100)
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of all steps during which the learning rate grows."""
    clip: float | None = Field(1.0, ge=1e-6, le=1e6)
    """Largest norm of the gradient."""
    loss: dict[str, Annotated[float, Field(ge=1e-6, le=1e6)]] | None = None
    """Weights of named losses; null: bce + dice, for mutually exclusive classes ce + dice."""
    ema: float | None = Field(0.998, gt=0, lt=1)
    precision: PrecisionWish = "auto"
    workers: int | Literal["auto"] = "auto"
    """Loader processes a job; auto: none on a CPU, and for an accelerator one a core that is the
    job's, as long as each finds work."""
    cache: int = Field(1024, ge=0, le=2**22)
    """MiB of decoded images that a job keeps in memory."""
    save_minutes: float = Field(10, gt=0)
    """Besides at the end of an epoch, the state to go on from is saved so often."""
    seed: int = Field(0, ge=0, lt=2**32)
    augment: AugmentConfig = AugmentConfig()

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
            raise ValueError("at least one loss")
        check_names("loss", loss or (), info)
        return loss

    @field_validator("workers")
    @classmethod
    def _few_or_none(cls, workers: int | str) -> int | str:
        if isinstance(workers, int) and not 0 <= workers <= MOST_WORKERS:
            raise ValueError(f"0 to {MOST_WORKERS}, or auto")
        return workers


class TileConfig(Block):
    """Prediction of large images in overlapping tiles."""

    size: ImageSize
    overlap: float = Field(0.25, ge=0, le=0.95)
    weights: TileWeights = "gaussian"


class InferConfig(Block):
    """How members predict."""

    tta: tuple[str, ...] = Field(("identity", "hflip"), min_length=1, max_length=64)
    mean: Mean = "arithmetic"
    """Over views and folds; `rank` is for `ensemble.mean` alone."""
    tile: TileConfig | None = None
    batch: Count = 8
    """Images a forward pass on an accelerator; on a CPU one, so that results are bit-equal."""
    precision: PrecisionWish = "auto"
    channels_last: bool = True
    compile: bool = False
    dtype: MapDtype = "uint8"
    codec: Codec = "raw"

    @field_validator("tta")
    @classmethod
    def _known_views(cls, tta: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_names("tta", [tta], info)
        return tta

    @field_validator("mean")
    @classmethod
    def _of_one_image(cls, mean: Mean) -> Mean:
        if mean == "rank":
            raise ValueError("ranks compare models: use ensemble.mean: rank")
        return mean

    @field_validator("tile", mode="before")
    @classmethod
    def _size_alone(cls, tile: Any) -> Any:
        return {"size": tile} if isinstance(tile, list | tuple) else tile


class EnsembleConfig(Block):
    """How members become one decision."""

    mean: Mean = "arithmetic"
    """Over models: of probabilities, of their logarithms, of their logits, or of their ranks."""
    weights: Literal["search", "equal"] | dict[str, Weight] = "search"
    threshold: Literal["search"] | Probability | tuple[Probability, ...] = "search"
    postprocess: tuple[str | dict[str, Any], ...] = Field((), max_length=20)
    accumulate: bool = False
    """Sum the test maps straight into one store, with the weights that the OOF maps gave, instead
    of keeping a store a model: the same decisions from 4 bytes a pixel, however many models."""

    @field_validator("postprocess")
    @classmethod
    def _known_steps(
        cls, steps: tuple[str | dict[str, Any], ...], info: ValidationInfo
    ) -> tuple[str | dict[str, Any], ...]:
        check_names("step", steps, info)
        return steps
