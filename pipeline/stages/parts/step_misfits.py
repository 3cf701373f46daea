"""Steps of augmentation that do not suit the images of an experiment, found before a training."""

from __future__ import annotations

from pipeline.checks.finding import Finding
from pipeline.data.image_sources.registry import image_source
from pipeline.stages.context import StageContext


def step_misfits(context: StageContext) -> list[Finding]:
    """An error for every step of a model that cannot be applied to its crops."""
    models = context.experiment.models
    parts = [
        (f"models.{name}", key, part)
        for name, model in models.items()
        for key, part in model.train.parts()
        if part.augment.steps
    ]
    if not parts:
        return []
    from pipeline.training.step_rehearsal import faulty_steps  # its import takes seconds

    source = image_source(context.experiment.data)
    return [
        Finding("error", name, fault)
        for name, key, part in parts
        for fault in faulty_steps(part.augment, part.size, source, key)
    ]
