"""The `train` block: how a member is trained. A model may override any key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.augmentation import AugmentConfig
from pipeline.config.base import Block, check_names
from pipeline.config.choices import (
    CacheWish,
    PrecisionWish,
)
from pipeline.config.limits import Count, CropSize
from pipeline.config.loss_terms import Terms, names_in, repeated, written_out
from pipeline.config.losses import LossTerm
from pipeline.config.optimisation import AverageConfig, FreezeConfig
from pipeline.config.sampling import SampleConfig

MOST_WORKERS = 256
MOST_MIB = 2**22
MOST_STEPS = 10**8
DEFAULT_LENGTH = 3000
"""Steps: as many as an evening allows on a GPU, whatever the number of images."""


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
    """Samples that a network sees at once."""
    accumulate: Count = 1
    """Batches whose gradients are added up to one step, see [Training](training.md#batch)."""
    length: int | None = Field(None, ge=1, le=MOST_STEPS)
    """Steps of the whole training, in `epochs` parts, after which it may be scored; null: `epochs`
    of `steps`. 3000 where none of the three is given."""
    epochs: int = Field(20, ge=1, le=100_000)
    """Number of epochs; the weights after the last one are used."""
    steps: int | None = Field(None, ge=1, le=100_000)
    """Steps an epoch; null: enough to see every image once, or what `length` leaves to an epoch."""
    optimizer: str = "adamw"
    """`adamw`, `sgd`, `nadamw` or `lion`, or another of `training.optimizers`."""
    lr: float | None = Field(None, ge=1e-12, le=100)
    """Peak of the learning rate; null: that of the optimizer (1e-3 for adamw and nadamw, 1e-2 for
    sgd, 1e-4 for lion)."""
    encoder_lr: float = Field(1, ge=1e-6, le=1e3)
    """Factor of the learning rate for the encoder, such as 0.1 for one that is pretrained."""
    layer_decay: float = Field(1, ge=0.01, le=1)
    """Factor of the encoder's rate from each of its layers to the one before it, such as 0.75 for a
    large pretrained transformer; 1: all learn at one rate."""
    drop_path: float = Field(0, ge=0, le=0.9)
    """Probability that the last residual block of the encoder is left out for a sample (stochastic
    depth); blocks before it, the less often the earlier."""
    freeze: FreezeConfig = FreezeConfig()
    """What of the encoder does not learn at first: `{encoder: 500}`, `{norms: true}`."""
    schedule: str = "cosine"
    """Schedule of the learning rate after warm-up: `cosine`, `constant`, `poly`, `restarts` or
    `onecycle`, or another of `training.schedules`."""
    cycles: int = Field(4, ge=2, le=1000)
    """How often `schedule: restarts` falls from the peak."""
    weight_decay: float = Field(1e-4, ge=0, le=100)
    """Weight decay; biases and normalisation parameters are not decayed."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of all steps during which the learning rate grows."""
    clip: float | None = Field(1.0, ge=1e-6, le=1e6)
    """Largest norm of the gradient; null: gradients are not clipped."""
    loss: Terms | None = None
    """The [losses](losses.md) that are added up: `lovasz`, `[bce, dice]`, weights as in
    `{bce: 1, dice: 0.5}`, or with parameters `[{name: tversky, alpha: 0.3, weight: 0.5}, bce]`;
    null: bce + dice, and ce + dice with `data.multiclass`."""
    ema: float | None = Field(0.998, gt=0, lt=1)
    """Decay of the moving average of the weights, which predicts; null: the plain weights
    predict."""
    average: AverageConfig = AverageConfig()
    """`{last: k}`: the mean of what `ema` gives after each of the last k epochs predicts."""
    checkpointing: bool = False
    """true: encoders compute their blocks again for the gradient, instead of keeping what these
    put out: less memory and about a third more time, and the same weights to the bit on a CPU."""
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
    sample: SampleConfig = SampleConfig()
    """Which images and which parts of them are seen how often."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of a training sample."""

    @property
    def duration(self) -> str:
        """How long it is, for people."""
        return f"{self.epochs} epochs" if self.length is None else f"{self.length:,} steps"

    @field_validator("optimizer", "schedule")
    @classmethod
    def _known_name(cls, name: str, info: ValidationInfo) -> str:
        check_names(str(info.field_name), [name], info)
        return name

    @field_validator("loss", mode="before")
    @classmethod
    def _known_losses(cls, loss: Any, info: ValidationInfo) -> Any:
        if loss is None:
            return None
        terms = written_out(loss)
        check_names("loss", names_in(terms), info)
        return terms

    @model_validator(mode="before")
    @classmethod
    def _has_some_length(cls, values: Any) -> Any:
        """The default is no field's own: what says `epochs` alone means what it always did."""
        said = {"length", "epochs", "steps"}
        if isinstance(values, dict) and not said & values.keys():
            return {**values, "length": DEFAULT_LENGTH}
        return values

    @model_validator(mode="after")
    def _has_one_length(self) -> TrainConfig:
        if self.length is not None and self.steps is not None:
            raise ValueError(
                f"length: {self.length} is the whole training, and steps: {self.steps} an epoch; "
                "give length and epochs, or steps and epochs, and set the other one to null"
            )
        return self

    @model_validator(mode="after")
    def _averages_what_there_is(self) -> TrainConfig:
        last, epochs = self.average.last, min(self.epochs, self.length or self.epochs)
        if last is not None and last > epochs:
            raise ValueError(f"average.last: {last} is more than the training's epochs: {epochs}")
        return self

    @field_validator("loss")
    @classmethod
    def _no_loss_twice(cls, loss: tuple[LossTerm, ...] | None) -> tuple[LossTerm, ...] | None:
        if twice := repeated(loss or ()):
            raise ValueError(f"{twice[0]} stands twice; give it a larger weight instead")
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
