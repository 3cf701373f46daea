"""The checks of names in an experiment, used while it is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from pipeline.suggestions import check_name

# By kind of name, what knows it: a registry of names, or a function that raises on a wrong one.
_KNOWN_BY = {
    "architecture": "pipeline.models.architecture:check_architecture",
    "augmentation step": "pipeline.training.transforms:make_transform",
    "demo": "pipeline.demo:get_demo",
    "decoder": "pipeline.models.decoders.registry:DECODERS",
    "encoder": "pipeline.models.encoder_names:check_encoder",
    "network": "pipeline.models.networks.registry:NETWORKS",
    "optimizer": "pipeline.training.optimizers:OPTIMIZERS",
    "schedule": "pipeline.training.schedules:SCHEDULES",
    "submission format": "pipeline.submission.registry:FORMATS",
    "loss": "pipeline.models.losses:LOSSES",
    "tta": "pipeline.inference.tta:parse_tta",
    "metric": "pipeline.metrics:metric_of",
    "step": "pipeline.ensemble.postprocessing.registry:get_step",
    "tracker": "pipeline.tracking:TRACKERS",
}


def name_checks() -> dict[str, Callable[[Any], object]]:
    """By kind of name, what raises on a wrong one.

    What knows a name is imported when the first one is checked: torch and timm take seconds, which
    nobody waits for to read that a file does not exist.
    """
    return {kind: partial(_check, kind, *place.split(":")) for kind, place in _KNOWN_BY.items()}


def _check(kind: str, module: str, attribute: str, value: Any) -> None:
    known = getattr(import_module(module), attribute)
    if not callable(known):
        check_name(kind, value, known)
    else:
        known(value)
