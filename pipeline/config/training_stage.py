"""What of a training may change from one of its stages to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import to_jsonable_python

from pipeline.config.augmentation import AugmentConfig
from pipeline.config.base import Block, check_names, is_block
from pipeline.config.limits import Count, CropSize
from pipeline.config.loss_terms import Terms, names_in, repeated, written_out
from pipeline.config.losses import LossTerm
from pipeline.config.merging import LENGTHS, merged
from pipeline.config.optimisation import FreezeConfig
from pipeline.config.sampling import SampleConfig

MOST_STEPS = 10**8
MOST_STAGES = 20


class LearningConfig(Block):
    """What networks see, and how they learn from it."""

    size: CropSize = (256, 256)
    """[H, W] of the random crop, or one number for both; smaller images are padded by
    reflection."""
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
    checkpointing: bool = False
    """true: encoders compute their blocks again for the gradient, instead of keeping what these
    put out: less memory and about a third more time, and the same weights to the bit on a CPU."""
    sample: SampleConfig = SampleConfig()
    """Which images and which parts of them are seen how often."""
    augment: AugmentConfig = AugmentConfig()
    """Random changes of a training sample."""

    @field_validator("size", mode="before")
    @classmethod
    def _square(cls, size: Any) -> Any:
        return [size, size] if isinstance(size, int) else size

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

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if self.length is not None and self.steps is not None:
            raise ValueError(
                f"length: {self.length} is the whole training, and steps: {self.steps} an epoch; "
                "give length and epochs, or steps and epochs, and set the other one to null"
            )
        return self

    @field_validator("loss")
    @classmethod
    def _no_loss_twice(cls, loss: tuple[LossTerm, ...] | None) -> tuple[LossTerm, ...] | None:
        if twice := repeated(loss or ()):
            raise ValueError(f"{twice[0]} stands twice; give it a larger weight instead")
        return loss


class StageConfig(LearningConfig):
    """One of several parts of a training; what is left out is as `train` says.

    It needs a length of its own. `steps` alone are those of the whole stage, as `length` is; with
    `epochs` they are those of an epoch.
    """

    @model_validator(mode="before")
    @classmethod
    def _has_a_length_of_its_own(cls, values: Any) -> Any:
        if isinstance(values, dict) and all(values.get(key) is None for key in LENGTHS):
            raise ValueError("needs a length of its own: steps, length or epochs")
        return values

    @property
    def given(self) -> dict[str, Any]:
        """What is its own, by field."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is given, even where it is a default: `train` may say otherwise."""
        written: Mapping[str, Any] = handler(self)
        return {name: written.get(name, _as_json(value)) for name, value in self.given.items()}


def _as_json(value: Any) -> Any:
    """A value that was left out for being the default."""
    return {} if isinstance(value, Block) else to_jsonable_python(value)


MERGED_BLOCKS = frozenset(
    key for key, field in StageConfig.model_fields.items() if is_block(field.annotation)
)
"""Those whose keys a stage leaves out are as `train` says, such as `augment`."""


def completed(stage: Any, train: Mapping[str, Any]) -> Any:
    """A stage as it is written, with its blocks laid over those of `train`."""
    if not isinstance(stage, dict):
        return stage
    return merged({key: train[key] for key in MERGED_BLOCKS & stage.keys() & train.keys()}, stage)
