"""The block `train.sample`: which images a training sees how often, and where its crops lie."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from pipeline.config.base import Block
from pipeline.config.limits import Probability
from pipeline.config.patterns import FilePath
from pipeline.config.tables import refuse_twice


class ImageWeights(Block):
    """How often images are seen, relative to each other: by one of three rules."""

    csv: FilePath | None = None
    """A table below `data.root` with a weight for each training image; 0: never seen."""
    id: str = "id"
    """Column of the ids."""
    weight: str = "weight"
    """Column of the weights."""
    inverse_frequency: Literal["group", "stratum"] | None = None
    """Column of the fold table whose values are all seen equally often."""
    hardness: FilePath | None = None
    """The `oof_scores.csv` of another run, such as runs/first/oof_scores.csv: the image with the
    worst out-of-fold score has weight 1.1, that with the best 0.1, linearly between."""

    @model_validator(mode="after")
    def _one_rule(self) -> ImageWeights:
        rules = ("csv", "inverse_frequency", "hardness")
        if len(given := [name for name in rules if getattr(self, name) is not None]) > 1:
            raise ValueError(f"takes {' or '.join(given)}, not both")
        refuse_twice([self.id, self.weight])
        return self

    def __bool__(self) -> bool:
        return self != ImageWeights(id=self.id, weight=self.weight)


class SampleConfig(Block):
    """Which images and which parts of them a training sees; see [Training](training.md#sample)."""

    foreground: Probability = 0
    """Share of the crops that are placed to contain a pixel of some class that the image has."""
    classes: Literal["own", "balanced"] = "own"
    """The class of such a crop. own: one of those that the image has, evenly; balanced: one of all
    classes, evenly, and then an image that has it."""
    weights: ImageWeights = ImageWeights()
    """How often images are seen: `{csv: weights.csv}`, `{inverse_frequency: stratum}` or
    `{hardness: runs/first/oof_scores.csv}`."""
    positives: tuple[Probability, Probability] | None = None
    """Share of the images with any foreground, at the first step and at the last, such as
    [0.8, 0.4]; null: as it comes."""

    @model_validator(mode="after")
    def _balances_something(self) -> SampleConfig:
        if self.classes == "balanced" and not self.foreground:
            raise ValueError(
                "classes: balanced is about the crops with foreground; set foreground, e.g. 0.33"
            )
        return self
