"""How long a training is: its steps, and the epochs that they are split into."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import TrainConfig
from pipeline.errors import ConfigError


@dataclass(frozen=True)
class Length:
    """`total` optimizer steps in `epochs` parts, whose lengths differ by one step at most."""

    total: int
    epochs: int

    def first_step(self, epoch: int) -> int:
        """The steps that are made before `epoch` (0 … epochs) begins."""
        return epoch * self.total // self.epochs

    def steps_of(self, epoch: int) -> int:
        return self.first_step(epoch + 1) - self.first_step(epoch)


def samples_a_step(settings: TrainConfig) -> int:
    """The crops that one optimizer step learns from."""
    return settings.batch * settings.accumulate


def training_length(count: int, settings: TrainConfig) -> Length:
    """Of a training on `count` images.

    Without `train.length` or `train.steps` an epoch is as many whole steps as the images give.
    """
    if settings.length is not None:
        return Length(settings.length, min(settings.epochs, settings.length))
    steps = settings.steps or max(1, count // samples_a_step(settings))
    return Length(steps * settings.epochs, settings.epochs)


def check_steps(
    model: str, count: int, settings: TrainConfig, key: str = "train", total: int | None = None
) -> None:
    """ConfigError where a step, or what stays frozen, is longer than a training on `count` images.

    key: where the settings are written: `train`, or a stage of it; total: the steps that `freeze`
    counts in, if not its own. With `train.steps` an epoch is as long as that says, however few
    images there are.
    """
    samples, total = samples_a_step(settings), total or training_length(count, settings).total
    is_stage_of_images = key != "train" and settings.length is None
    grows = settings.accumulate > 1 or is_stage_of_images
    if grows and settings.steps is None and samples > count:
        both = " and epochs" if key != "train" else ""
        or_steps = f", or say with {key}.steps{both} how many steps an epoch has"
        raise ConfigError(
            f"models.{model}: {key}.accumulate: {settings.accumulate} of {key}.batch: "
            f"{settings.batch} make {samples} samples a step, and an epoch has {count} images; "
            f"lower one of the two{or_steps if settings.length is None else ''}"
        )
    for part in ("encoder", "norms"):
        steps = getattr(settings.freeze, part)
        if steps is not True and steps >= total:
            raise ConfigError(
                f"models.{model}: {key}.freeze.{part}: {steps} steps, and the training has "
                f"{total}; lower it, or set true for what is never to learn"
            )
