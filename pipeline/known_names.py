"""The checks of names in an experiment, used while it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def name_checks() -> dict[str, Callable[[Any], object]]:
    """By kind of name, what raises on a wrong one. Imported here, not above: they take a second."""
    from pipeline.demo import get_demo
    from pipeline.ensemble.postprocessing.registry import get_step
    from pipeline.inference.tta import parse_tta
    from pipeline.metrics import get_metric
    from pipeline.models.decoders.registry import DECODERS
    from pipeline.models.encoder_names import check_encoder
    from pipeline.models.losses import LOSSES
    from pipeline.submission.registry import FORMATS
    from pipeline.suggestions import check_name
    from pipeline.tracking import TRACKERS
    from pipeline.training.optimizers import OPTIMIZERS
    from pipeline.training.schedules import SCHEDULES

    return {
        "demo": get_demo,
        "decoder": lambda name: check_name("decoder", name, DECODERS),
        "encoder": check_encoder,
        "optimizer": lambda name: check_name("optimizer", name, OPTIMIZERS),
        "schedule": lambda name: check_name("schedule", name, SCHEDULES),
        "submission format": lambda name: check_name("submission format", name, FORMATS),
        "loss": lambda name: check_name("loss", name, LOSSES),
        "tta": parse_tta,
        "metric": lambda metric: get_metric(**metric),
        "step": get_step,
        "tracker": lambda name: check_name("tracker", name, TRACKERS),
    }
