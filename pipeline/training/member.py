"""The inputs of training one member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig, TrainConfig
from pipeline.config.losses import LossTerm
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.training.auxiliary.targets import Aims, ColumnValues
from pipeline.training.length import Length, training_length
from pipeline.training.projection import Projection
from pipeline.training.sampling import SampleFacts
from pipeline.training.validation_epochs import ValidationEpochs
from pipeline.workspace import MemberPaths

VERSION = "member/2"
"""Bumped when the same inputs train to different weights than before."""


@dataclass(frozen=True)
class Stage:
    """A part of a training that has settings of its own (`train.stages`)."""

    key: str
    """Where its settings are written, such as `train.stages[1]`."""
    train: TrainConfig
    """All of its settings; the seed is its own."""
    losses: tuple[LossTerm, ...]
    validated: ValidationEpochs
    facts: SampleFacts | None


@dataclass(frozen=True)
class Place:
    """Which part of a training a stage is: by default the only one."""

    key: str = "train"
    """Where its settings are written."""
    number: int = 0
    count: int = 1
    steps: int = 0
    epochs: int = 0
    """Of the stages before it."""
    epochs_after: int = 0
    """Of the stages after it."""

    @property
    def is_last(self) -> bool:
        return self.number == self.count - 1

    @property
    def name(self) -> str:
        """For people; empty where it is the only one."""
        return f"stage {self.number + 1}/{self.count}" if self.count > 1 else ""


@dataclass(frozen=True)
class TrainJob:
    """One member: a model on all folds but one. Picklable, so that any worker can train it."""

    name: str
    model: ModelConfig
    metric: str | dict[str, Any]
    classes: tuple[str, ...]
    multiclass: bool
    losses: tuple[LossTerm, ...]
    reader: SampleReader
    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    paths: MemberPaths
    fingerprint: str
    validated: ValidationEpochs
    """The epochs after which `held_out` is scored."""
    made_from: Mapping[str, str]
    """Fingerprints of what the member depends on, by what it is; of them `fingerprint` is made."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the experiment that were not at their default, for a message about changed ones."""
    facts: SampleFacts | None = None
    """Of `train`, where `train.sample` asks for more than `foreground`."""
    columns: tuple[ColumnValues, ...] = ()
    """Of `train`, what the auxiliary outputs learn that are columns of tables."""
    test: tuple[Sample, ...] = ()
    """Test images that training samples are made to look like (`train.augment.match_test`)."""
    projection: Projection | None = None
    """What is to be told of the whole stage after the first steps; None: nothing."""
    decoded: Path | None = None
    """Where decoded samples are kept; None: not on the disk."""
    stages: tuple[Stage, ...] = ()
    """Of a training in parts: each with its settings, in place of the job's own."""
    waits_for: str | None = None
    """A member that must be trained before, since this one starts from it (`init`)."""
    place: Place = Place()
    """Of such a part: which one it is."""

    @property
    def parts(self) -> tuple[TrainJob, ...]:
        """The trainings that follow each other: one for each stage, or the job itself."""
        if not self.stages:
            return (self,)
        lengths = [training_length(len(self.train), stage.train) for stage in self.stages]
        places = [
            Place(
                stage.key,
                number,
                len(self.stages),
                sum(each.total for each in lengths[:number]),
                sum(each.epochs for each in lengths[:number]),
                sum(each.epochs for each in lengths[number + 1 :]),
            )
            for number, stage in enumerate(self.stages)
        ]
        return tuple(map(self._part, self.stages, places))

    def _part(self, stage: Stage, place: Place) -> TrainJob:
        return replace(
            self,
            model=self.model.model_copy(update={"train": stage.train}),
            losses=stage.losses,
            validated=stage.validated,
            facts=stage.facts,
            projection=None if place.number else self.projection,
            stages=(),
            place=place,
        )

    @property
    def length(self) -> Length:
        """Of a training without stages, or of one of them."""
        return training_length(len(self.train), self.model.train)

    @property
    def aims(self) -> Aims | None:
        """What auxiliary outputs learn; None where there are none."""
        outputs = self.model.auxiliary
        return Aims(outputs, self.reader.data.soft, self.columns) if outputs else None
