"""The `train` block: how a member is trained. A model may override any key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from pipeline.config.base import Block
from pipeline.config.choices import (
    CacheWish,
    PrecisionWish,
)
from pipeline.config.merging import LENGTHS
from pipeline.config.optimisation import AverageConfig
from pipeline.config.training_stage import MOST_STAGES, LearningConfig, StageConfig, completed
from pipeline.suggestions import shortened

MOST_WORKERS = 256
MOST_MIB = 2**22
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


class TrainConfig(LearningConfig):
    """How one member is trained."""

    stages: tuple[StageConfig, ...] | None = Field(None, max_length=MOST_STAGES)
    """Parts of the training, one after the other, each with a length of its own and any of the keys
    above, such as `[{size: 256, steps: 4000}, {size: 512, steps: 1000, loss: lovasz}]`; see
    [Training](training.md#stages). null: one training, as the keys above say."""
    ema: float | None = Field(0.998, gt=0, lt=1)
    """Decay of the moving average of the weights, which predicts; null: the plain weights
    predict."""
    average: AverageConfig = AverageConfig()
    """`{last: k}`: the mean of what `ema` gives after each of the last k epochs predicts."""
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

    @property
    def duration(self) -> str:
        """How long it is, for people."""
        if self.stages:
            return " + ".join(part.duration for _, part in self.parts())
        return f"{self.epochs} epochs" if self.length is None else f"{self.length:,} steps"

    def parts(self) -> Iterator[tuple[str, TrainConfig]]:
        """The trainings that follow each other, and the key of each: all stages, or the whole."""
        if not self.stages:
            yield "train", self
        for number, stage in enumerate(self.stages or ()):
            is_last = stage is self.stages[-1]  # type: ignore[index]
            yield f"train.stages[{number}]", self._part(stage.given, is_last)

    def _part(self, own: dict[str, Any], is_last: bool) -> TrainConfig:
        if "steps" in own and not own.keys() & {"epochs", "length"}:
            own = {**own, "length": own["steps"], "steps": None}
        average = self.average if is_last else AverageConfig()
        return self.model_copy(update={"stages": None, "average": average, **own})

    @field_validator("stages", mode="before")
    @classmethod
    def _at_least_one(cls, stages: Any) -> Any:
        if isinstance(stages, list | tuple) and not stages:
            raise ValueError("needs at least one stage; leave it out for a training without any")
        return stages

    @model_validator(mode="before")
    @classmethod
    def _has_some_length(cls, values: Any) -> Any:
        """The default is no field's own: what says `epochs` alone means what it always did."""
        if not isinstance(values, dict):
            return values
        if (stages := values.get("stages")) is None:
            return values if LENGTHS & values.keys() else {**values, "length": DEFAULT_LENGTH}
        said = {key: values[key] for key in sorted(LENGTHS) if values.get(key) is not None}
        if said:
            keys = " and ".join(f"{key}: {shortened(value)}" for key, value in said.items())
            raise ValueError(f"{keys} and stages do not add up: each stage says how long it is")
        rest = {key: value for key, value in values.items() if key not in LENGTHS}
        if isinstance(stages, list | tuple):
            rest["stages"] = [completed(each, values) for each in stages]
        return rest

    @model_serializer(mode="wrap")
    def _with_one_length(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the length that stages replace, so that it can be read again."""
        written: dict[str, Any] = handler(self)
        return {key: each for key, each in written.items() if not self.stages or key not in LENGTHS}

    @model_validator(mode="after")
    def _averages_what_there_is(self) -> TrainConfig:
        *_, (_, end) = self.parts()
        last, epochs = self.average.last, min(end.epochs, end.length or end.epochs)
        if last is not None and last > epochs:
            whose = "last stage's" if self.stages else "training's"
            raise ValueError(f"average.last: {last} is more than the {whose} epochs: {epochs}")
        return self

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
