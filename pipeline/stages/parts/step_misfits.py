"""Steps of augmentation that do not suit the images of an experiment, found before a training."""

from __future__ import annotations

from pipeline.checks.finding import Finding
from pipeline.data.image_sources.registry import image_source
from pipeline.stages.context import StageContext


def step_misfits(context: StageContext) -> list[Finding]:
    """An error for every step of a model that cannot be applied to its crops."""
    models = context.experiment.models
    if not any(model.train.augment.steps for model in models.values()):
        return []
    from pipeline.training.step_rehearsal import faulty_steps  # its import takes seconds

    source = image_source(context.experiment.data)
    return [
        Finding("error", f"models.{name}", fault)
        for name, model in models.items()
        for fault in faulty_steps(model.train.augment, model.train.size, source)
    ]
