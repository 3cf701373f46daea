"""The job that trains a member, and all that its weights depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config import ModelConfig, TrainConfig
from pipeline.config.loss_terms import short_form
from pipeline.data.catalog import Sample
from pipeline.data.resize import working_size
from pipeline.data.samples import SampleReader
from pipeline.manifests import fingerprint
from pipeline.models.provenance import starting_point
from pipeline.size import Size
from pipeline.stages import align
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.training.dataset import steps_an_epoch
from pipeline.training.member import VERSION, TrainJob
from pipeline.training.validation_epochs import validation_epochs

SPEED_KEYS = ("workers", "threads", "cache", "save_minutes", "validate_")
"""Fields of `train` that change speed, saving and scores of a training, not its result."""


@dataclass(frozen=True)
class FoldSplit:
    """The samples of one fold, which all models share: those to learn from, and those held out."""

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    sizes: tuple[Size, ...]
    """Of the images held out."""
    images: str
    """Changes with any byte of what is learned from."""

    @classmethod
    def of(cls, survey: Survey, table: pd.DataFrame, fold: int) -> FoldSplit:
        is_held_out = table["fold"] == fold
        # a table of somebody's own may be in any order
        training = sorted(table.loc[~is_held_out, "id"])
        held_out = table.loc[is_held_out, "id"].tolist()
        return cls(
            survey.samples("train", training),
            survey.samples("train", held_out),
            tuple(survey.sizes["train", each] for each in held_out),
            survey.fingerprint("train", training),
        )


def make_job(
    context: StageContext, split: FoldSplit, reader: SampleReader, model: str, fold: int
) -> TrainJob:
    """The job of one member, trained or not."""
    experiment = context.experiment
    config = experiment.models[model]
    seed = int(fingerprint(config.train.seed, model, fold)[:8], 16)
    seeded = config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})
    parts = made_from(context, split.images, seeded)
    sizes = (working_size(size, config.input.resize) for size in split.sizes)
    steps = steps_an_epoch(len(split.train), config.train)
    return TrainJob(
        name=f"{model}/fold{fold}",
        model=seeded,
        metric=experiment.metric,
        classes=experiment.data.class_names,
        multiclass=experiment.data.multiclass,
        losses=experiment.losses(config.train),
        reader=reader,
        train=split.train,
        held_out=split.held_out,
        validated=validation_epochs(config.train, steps, sizes),
        paths=context.workspace.member(model, fold),
        fingerprint=fingerprint(parts),
        made_from=parts,
        settings=_settings(config),
    )


def made_from(context: StageContext, images: str, model: ModelConfig) -> dict[str, str]:
    """Everything that the member's weights depend on, by what a user calls it; not how fast they
    are made, and nothing of the images that are held out.
    """
    experiment = context.experiment
    data, without = experiment.data, model.reference == "none"
    parts: dict[str, list[Any]] = {
        "version": [VERSION],
        "network": [model.network.model_copy(update={"weights": None})],
        "starting weights": [starting_point(model.network), model.weights is None],
        "input": [model.input],
        "train settings": [_without_speed(model.train)],
        "loss": [short_form(experiment.losses(model.train))],
        "classes": [data.class_names, data.multiclass],
        "frame": [data.frame],
        "training images": [images],
        "alignment": [None if without else align.settings_of(context)],
    }
    if data.bands is not None:
        parts["bands"] = [*data.band_settings]
    return {name: fingerprint(*values) for name, values in parts.items()}


def _settings(model: ModelConfig) -> dict[str, Any]:
    """What is not at its default of all that a member depends on."""
    kept = model.model_copy(update={"train": _without_speed(model.train)})
    return kept.model_dump(mode="json", exclude_defaults=True, exclude={"infer"})


def _without_speed(settings: TrainConfig) -> TrainConfig:
    """The settings with those at their defaults that change how fast a member is made, only."""
    fields = TrainConfig.model_fields
    return settings.model_copy(update={name: fields[name].default for name in SPEED_KEYS})
