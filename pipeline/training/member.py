"""The inputs of training one member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import ModelConfig
from pipeline.config.losses import LossTerm
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.training.auxiliary.targets import Aims, ColumnValues
from pipeline.training.projection import Projection
from pipeline.training.sampling import SampleFacts
from pipeline.training.validation_epochs import ValidationEpochs
from pipeline.workspace import MemberPaths

VERSION = "member/2"
"""Bumped when the same inputs train to different weights than before."""


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
    projection: Projection | None = None
    """What is to be told of the whole stage after the first steps; None: nothing."""
    decoded: Path | None = None
    """Where decoded samples are kept; None: not on the disk."""

    @property
    def aims(self) -> Aims | None:
        """What auxiliary outputs learn; None where there are none."""
        outputs = self.model.auxiliary
        return Aims(outputs, self.reader.data.soft, self.columns) if outputs else None
