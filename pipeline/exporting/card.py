"""The card beside an exported model: how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.config import DataConfig, Experiment

SAME_AS_RUN = (
    "The run's own masks (make predict) also average the views of `views`, blend all models, and "
    "apply post-processing; one exported model does not."
)


def _pixels(data: DataConfig) -> dict[str, str]:
    """What the channels of the input are, and the scale of their values."""
    names = data.band_names
    if data.bands is None:
        return {
            "layout": f"N x {len(names)} x H x W, RGB, float32",
            "scale": "pixel / 255, so 0..1; the network normalises by itself",
        }
    return {
        "layout": f"N x {len(names)} x H x W, float32, of the bands {', '.join(names)}",
        "scale": "as the files store them, NaN where there is no data; the network chooses and "
        "normalises its bands by itself",
    }


def card_of(
    experiment: Experiment,
    model: str,
    members: Sequence[str],
    thresholds: dict[str, float],
    step: int,
) -> dict[str, Any]:
    """Input, output and decision rule of one model."""
    config, data = experiment.models[model], experiment.data
    *_, (_, last) = config.train.parts()
    rule = (
        "the class whose probability divided by its threshold is largest"
        if data.multiclass
        else "a class is where its probability is at least its threshold"
    )
    return {
        "run": experiment.name,
        "model": model,
        "members": list(members),
        "network": config.architecture.model_dump(
            mode="json", exclude={"weights", "allow_partial"}
        ),
        "input": {
            "name": "images",
            **_pixels(data),
            "size": f"H and W are multiples of {step}, any; pad by mirroring, and crop the output",
            "resize": config.input.model_dump(mode="json")["resize"],
            "frame": data.frame.model_dump(mode="json"),
            "trained_at": list(last.size),
        },
        "output": {
            "name": "probabilities",
            "layout": f"N x {len(data.classes)} x H x W, float32, 0..1",
            "classes": list(data.class_names),
            "activation": "softmax, done" if data.multiclass else "sigmoid, done",
        },
        "decision": {"thresholds": thresholds, "rule": rule},
        "views": list(config.infer.tta),
        "note": SAME_AS_RUN,
    }
