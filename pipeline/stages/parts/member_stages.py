"""The stages of a member's training, with all that they need to know of its images."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import Experiment, ModelConfig, TrainConfig
from pipeline.config.sampling import ImageWeights
from pipeline.data.resize import working_size
from pipeline.manifests import fingerprint
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.stages.parts.sample_facts import Weights, facts_of
from pipeline.training.length import check_steps, training_length
from pipeline.training.member import Stage
from pipeline.training.validation_epochs import NEVER, validation_epochs


def make_stages(
    experiment: Experiment,
    split: FoldSplit,
    model: str,
    config: ModelConfig,
    given: Mapping[ImageWeights, Weights],
) -> tuple[Stage, ...]:
    """One, of the whole training, where it has no others.

    config: of the model, with the seed of the member; given: weights of training images, from
    tables. ConfigError or DataError for what cannot be with these images.
    """
    count, classes = len(split.train), experiment.data.class_names
    sizes = [working_size(size, config.input.resize) for size in split.sizes]
    parts = [(key, _as_long(part, split)) for key, part in config.train.parts()]
    lengths = [training_length(count, part) for _, part in parts]
    total = sum(length.total for length in lengths)
    stages = []
    for number, ((key, part), length) in enumerate(zip(parts, lengths, strict=True)):
        before = sum(each.total for each in lengths[:number])
        after = sum(each.epochs for each in lengths[number + 1 :])
        counts_on = not _has_own_freeze(config.train, number)
        check_steps(model, count, part, key, total if counts_on else length.total)
        given_here = given.get(part.sample.weights)
        where = f"models.{model}: {key}.sample"
        stages.append(
            Stage(
                key,
                _own(part, number, before if counts_on else 0),
                experiment.losses(part),
                validation_epochs(part, length, sizes, after) if sizes else NEVER,
                facts_of(split, part.sample, classes, given_here, where),
            )
        )
    return tuple(stages)


def _has_own_freeze(train: TrainConfig, number: int) -> bool:
    return train.stages is not None and "freeze" in train.stages[number].given


def _own(part: TrainConfig, number: int, frozen_for: int) -> TrainConfig:
    """With a seed of its own, and what is left of `train.freeze` after so many steps."""
    if not number:
        return part
    seed = int(fingerprint(part.seed, "stage", number)[:8], 16)
    return part.model_copy(update={"seed": seed, "freeze": part.freeze.after(frozen_for)})


def _as_long(part: TrainConfig, split: FoldSplit) -> TrainConfig:
    """With the steps that a fold's member makes, though a member of all images has more."""
    if part.length is not None or split.counted == len(split.train):
        return part
    length = training_length(split.counted, part)
    return part.model_copy(update={"steps": length.total // length.epochs})
