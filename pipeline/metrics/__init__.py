"""The registry of metrics: a competition's score is one line here and the one function it names.

The docstring of that function states the rule for empty masks and where the rule comes from.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from pipeline.errors import ConfigError
from pipeline.metrics.counts import counts
from pipeline.metrics.instances import airbus, dsb, matches
from pipeline.metrics.metric import MeanOfImages, Measure, Metric, Pooled, Score
from pipeline.metrics.pixels import (
    class_accuracy,
    dice,
    fbeta,
    frequency_weighted_iou,
    global_dice,
    iou,
    mean_iou,
    pixel_accuracy,
    right_pixels,
    tgs,
)
from pipeline.suggestions import check_name

__all__ = ["METRICS", "Metric", "counts", "get_metric", "metric_of", "scores_objects"]

GREATEST = 1000  # of an option: squared and multiplied by counts it stays a number

METRICS: dict[str, tuple[type[MeanOfImages] | type[Pooled], Measure, Score]] = {
    "dice": (MeanOfImages, counts, dice),
    "global_dice": (Pooled, counts, global_dice),
    "iou": (MeanOfImages, counts, iou),
    "mean_iou": (Pooled, counts, mean_iou),
    "tgs": (MeanOfImages, counts, tgs),
    "dsb": (MeanOfImages, matches, dsb),
    "airbus": (MeanOfImages, matches, airbus),
    "fbeta": (Pooled, counts, fbeta),
    "class_accuracy": (Pooled, counts, class_accuracy),
    "frequency_weighted_iou": (Pooled, counts, frequency_weighted_iou),
    "pixel_accuracy": (Pooled, right_pixels, pixel_accuracy),
}


def get_metric(name: str, **options: float) -> Metric:
    """The metric of that name; `fbeta` must be given `beta`, the others take no option.

    Raises ConfigError for an unknown name (with the nearest known ones) or wrong options.
    """
    check_name("metric", name, METRICS)
    kind, measure, score = METRICS[name]
    _check_options(name, score, options)
    return kind(name, measure, partial(score, **options))


def metric_of(wish: str | Mapping[str, Any]) -> Metric:
    """The metric that an experiment asks for: a name, or `{name: fbeta, beta: 0.5}`."""
    if isinstance(wish, str):
        return get_metric(wish)
    options = dict(wish)
    return get_metric(options.pop("name"), **options)


def scores_objects(name: str) -> bool:
    """True if the metric of that name needs to know which object a pixel belongs to."""
    return METRICS[name][1] is matches


def _check_options(name: str, score: Score, options: dict[str, float]) -> None:
    try:
        inspect.signature(score).bind("measures", **options)
    except TypeError as error:
        raise ConfigError(f"metric {name}: {error}") from None
    for option, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and 0 < value <= GREATEST):
            raise ConfigError(
                f"metric {name}: {option} must be a number above 0, up to {GREATEST}, not {value!r}"
            )
