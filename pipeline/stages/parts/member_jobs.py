"""The job that trains a member, and all that its weights depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config import ModelConfig, TrainConfig
from pipeline.config.loss_terms import short_form
from pipeline.config.sampling import ImageWeights
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.errors import ConfigError
from pipeline.manifests import fingerprint
from pipeline.member_id import MemberId
from pipeline.models.provenance import starting_point
from pipeline.stages import align
from pipeline.stages.context import StageContext
from pipeline.stages.parts import warm_start
from pipeline.stages.parts.column_values import columns_of
from pipeline.stages.parts.decoded_samples import reader_of_objects
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.stages.parts.member_stages import make_stages
from pipeline.stages.parts.sample_facts import Weights
from pipeline.training.member import VERSION, Stage, TrainJob
from pipeline.training.optimizers import peak_rate

SPEED_KEYS = ("workers", "threads", "cache", "save_minutes", "validate_")
"""Fields of `train` that change speed, saving and scores of a training, not its result."""


def make_job(
    context: StageContext,
    split: FoldSplit,
    reader: SampleReader,
    member: MemberId,
    given: Mapping[ImageWeights, Weights],
    jobs: Mapping[MemberId, TrainJob],
) -> TrainJob:
    """The job of one member, trained or not.

    given: weights of training images, from tables; jobs: of the models that it may start from.
    """
    experiment, model, fold = context.experiment, member.model, member.fold
    config, waits_for = warm_start.started(context, model, fold, jobs)
    seed = int(fingerprint(config.train.seed + member.seed, model, fold)[:8], 16)
    seeded = config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})
    stages = make_stages(experiment, split, model, seeded, given)
    parts = made_from(context, split.images, seeded, stages)
    columns = columns_of(context, split, model)
    if columns:
        parts["auxiliary columns"] = fingerprint([str(each) for each in columns])
    test = _looked_at(split, model, stages)
    if test:
        parts["test images"] = fingerprint(split.test_images)
    first, *later = stages
    whole = seeded if later else seeded.model_copy(update={"train": first.train})
    return TrainJob(
        name=member.name,
        model=whole,
        metric=experiment.metric,
        classes=experiment.data.class_names,
        multiclass=experiment.data.multiclass,
        losses=first.losses,
        reader=reader_of_objects(reader, config),
        train=split.train,
        held_out=split.held_out,
        validated=first.validated,
        paths=context.workspace.member(member),
        fingerprint=fingerprint(parts),
        made_from=parts,
        settings=_settings(experiment.models[model]),
        facts=first.facts,
        columns=columns,
        test=test,
        stages=stages if later else (),
        waits_for=waits_for,
    )


def _looked_at(split: FoldSplit, model: str, stages: Sequence[Stage]) -> tuple[Sample, ...]:
    """The test images that samples are made to look like; ConfigError where there are none."""
    wishes = [stage for stage in stages if stage.train.augment.match_test]
    if wishes and not split.test:
        raise ConfigError(
            f"models.{model}: {wishes[0].key}.augment.match_test needs test images, and there are "
            "none; set data.test, or leave match_test out"
        )
    return split.test if wishes else ()


def made_from(
    context: StageContext, images: str, model: ModelConfig, stages: Sequence[Stage]
) -> dict[str, str]:
    """Everything that the member's weights depend on, by what a user calls it; not how fast they
    are made, and nothing of the images that are held out.
    """
    experiment = context.experiment
    data, without = experiment.data, model.reference == "none"
    parts: dict[str, list[Any]] = {
        "version": [VERSION],
        "network": [model.architecture.model_copy(update={"weights": None})],
        "starting weights": [starting_point(model.architecture), model.weights is None],
        "input": [model.input],
        "train settings": [_rated(_without_speed(stage.train)) for stage in stages],
        "loss": [short_form(stage.losses) for stage in stages],
        "classes": [data.class_names, data.multiclass],
        "frame": [data.frame],
        "training images": [images],
        "alignment": [None if without else align.settings_of(context)],
    }
    if data.bands is not None:
        parts["bands"] = [*data.band_settings]
    weights = [stage.facts.weights if stage.facts is not None else None for stage in stages]
    if any(each is not None for each in weights):
        parts["image weights"] = weights
    return {name: fingerprint(*values) for name, values in parts.items()}


def _settings(model: ModelConfig) -> dict[str, Any]:
    """What is not at its default of all that a member depends on."""
    kept = model.model_copy(update={"train": _without_speed(model.train)})
    return kept.model_dump(mode="json", exclude_defaults=True, exclude={"infer", "recipe", "seeds"})


def _rated(settings: TrainConfig) -> TrainConfig:
    """With the rate that is taken where none is given: another default makes other weights."""
    return settings.model_copy(update={"lr": peak_rate(settings)})


def _without_speed(settings: TrainConfig) -> TrainConfig:
    """The settings with those at their defaults that change how fast a member is made, only."""
    fields = TrainConfig.model_fields
    return settings.model_copy(update={name: fields[name].default for name in SPEED_KEYS})
