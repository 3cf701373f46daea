"""Decisions of known masks, as a run's blend would make them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Experiment, build_experiment
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.recipe import Recipe
from pipeline.submission.format import SubmittedDecisions
from pipeline.submission.registry import plan_submission, submission_suffix
from tests.helpers.experiments import raw

Masks = Mapping[str, np.ndarray]
"""By id, bool CHW."""


def decided(masks: Masks, *, multiclass: bool = False) -> SubmittedDecisions:
    """Decisions that come out as these masks: probability 1 inside, 0 outside."""
    classes = len(next(iter(masks.values())))
    recipe = Recipe({"m": 1.0}, (0.5,) * classes, multiclass=multiclass, mean=ARITHMETIC)
    maps = {each: planes.astype(np.uint8) * 255 for each, planes in masks.items()}
    return SubmittedDecisions(recipe, lambda each: [maps[each]], lambda each: maps[each].shape[1:])


def submitting(
    root: Path, submission: Mapping[str, Any], classes: Any = ("a",), **data: Any
) -> Experiment:
    """An experiment with test images, classes and a `submission` block."""
    keys = {"root": str(root), "test": "t/{id}.png", "classes": list(classes), **data}
    if isinstance(classes, dict):
        keys["classes"] = classes
    return build_experiment(raw(data=keys, submission=dict(submission)), source="x")


def send(experiment: Experiment, masks: Masks, folder: Path) -> Path:
    """The submission of these masks, in their order."""
    path = folder / f"sent{submission_suffix(experiment)}"
    planned = plan_submission(experiment, list(masks))
    decisions = decided(masks, multiclass=experiment.data.multiclass)
    planned.write(path, decisions, lambda _: None)
    return path


def read_back(experiment: Experiment, masks: Masks, path: Path) -> dict[str, np.ndarray]:
    """What the product reads from a submission of these images."""
    sizes = {each: planes.shape[1:] for each, planes in masks.items()}
    return dict(plan_submission(experiment, list(masks)).read(path, sizes.__getitem__))
