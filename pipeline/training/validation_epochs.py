"""After which epochs a training scores its held-out fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.config import TrainConfig
from pipeline.size import Size
from pipeline.training.length import Length, samples_a_step

MOST_OF_TRAINING = 0.05
"""The share of its time that a training may spend on scores."""
PASSES_A_STEP = 3
"""A step costs about three forward passes: one forward, and a backward one of twice that."""


@dataclass(frozen=True)
class ValidationEpochs:
    """Every so many epochs, or the last so many; the very last epoch always. No epochs: never."""

    epochs: int
    every: int
    last: int = 1

    def __contains__(self, epoch: int) -> bool:
        """Whether the fold is scored after that epoch (from 0)."""
        if not self.epochs:
            return False
        periodic = bool(self.every) and (epoch + 1) % self.every == 0
        return periodic or epoch >= self.epochs - self.last

    @property
    def count(self) -> int:
        """How many epochs are scored."""
        return sum(epoch in self for epoch in range(self.epochs))


NEVER = ValidationEpochs(epochs=0, every=0, last=0)
"""Of a member that holds nothing out."""


def validation_epochs(
    settings: TrainConfig, length: Length, held_out: Iterable[Size], later: int = 0
) -> ValidationEpochs:
    """What `train.validate` says for a member.

    length: of the training, or of a stage that others of `later` epochs follow; held_out: H, W of
    every held-out image as its network sees it. The work of both is estimated by pixels, so that it
    is the same on every machine and after every stop.
    """
    wish, epochs = settings.validate_, length.epochs
    if wish.last is not None:
        return ValidationEpochs(epochs, 0, max(0, wish.last - later))
    if wish.every != "auto":
        return ValidationEpochs(epochs, wish.every)
    samples = length.total // epochs * samples_a_step(settings)
    training = PASSES_A_STEP * samples * settings.size[0] * settings.size[1]
    scoring = sum(height * width for height, width in held_out)
    sparing = -(-scoring // max(1, round(MOST_OF_TRAINING * training)))
    return ValidationEpochs(epochs, max(1, sparing))
