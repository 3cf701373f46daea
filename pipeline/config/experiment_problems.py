"""Blocks of an experiment that do not fit each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.auxiliary import auxiliary_problems
from pipeline.config.bands import own_name
from pipeline.config.loss_terms import misfits
from pipeline.config.submission_problems import misfits_of_data
from pipeline.suggestions import did_you_mean

if TYPE_CHECKING:
    from pipeline.config.experiment import Experiment
    from pipeline.config.training import TrainConfig


def experiment_problems(experiment: Experiment) -> Iterator[str]:
    """One line each."""
    yield from _weights_problems(experiment)
    yield from _threshold_problems(experiment)
    yield from misfits_of_data(experiment.submission, experiment.data)
    yield from _reference_problems(experiment)
    yield from _dtype_problems(experiment)
    yield from _multiclass_problems(experiment)
    for name in experiment.models:
        yield from _band_problems(experiment, name)
        yield from _axis_problems(experiment, name)
        yield from _crf_problems(experiment, name)
    yield from dict.fromkeys(_loss_problems(experiment))
    yield from auxiliary_problems(experiment)
    yield from _init_problems(experiment)


def _weights_problems(experiment: Experiment) -> Iterator[str]:
    weights, models = experiment.ensemble.weights, experiment.models
    if not isinstance(weights, dict):
        return
    if set(weights) != set(models):
        yield f"ensemble.weights names {sorted(weights)}, but the models are {sorted(models)}"
    elif sum(weights.values()) <= 1e-6:
        yield "ensemble.weights sum to zero"


def _threshold_problems(experiment: Experiment) -> Iterator[str]:
    threshold, count = experiment.ensemble.threshold, len(experiment.data.classes)
    if isinstance(threshold, tuple) and len(threshold) != count:
        yield f"ensemble.threshold has {len(threshold)} values for {count} classes"


def _dtype_problems(experiment: Experiment) -> Iterator[str]:
    by_model = {name: model.infer.dtype for name, model in experiment.models.items()}
    if len(set(by_model.values())) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in by_model.items())
        yield f"infer.dtype: a blend needs maps of one dtype, and the models have {listed}"


def _multiclass_problems(experiment: Experiment) -> Iterator[str]:
    if not experiment.data.multiclass:
        return
    if experiment.ensemble.postprocess:
        yield (
            "ensemble.postprocess: steps act on one class at a time, and data.multiclass needs "
            "exactly one class per pixel; leave postprocess empty"
        )
    threshold = experiment.ensemble.threshold
    if 0 in (threshold if isinstance(threshold, tuple) else (threshold,)):
        yield (
            "ensemble.threshold: multiclass maps are compared by probability ÷ threshold, so "
            "no threshold may be 0"
        )


def _reference_problems(experiment: Experiment) -> Iterator[str]:
    if experiment.data.reference is not None:
        return
    for name, model in experiment.models.items():
        if model.reference in ("difference", "siamese"):
            yield f"models.{name}.reference: {model.reference} needs data.reference"


def _band_problems(experiment: Experiment, name: str) -> Iterator[str]:
    model, known = experiment.models[name], experiment.data.band_names
    shown, rules = model.input.bands or known, model.input.normalise
    if strange := sorted(set(shown) - set(known)):
        hint = did_you_mean(strange[0], known)
        yield f"models.{name}.input.bands: there is no band {strange[0]!r}{hint}"
    own = dict.fromkeys(map(own_name, shown))
    if isinstance(rules, dict) and set(rules) != set(own):
        yield (
            f"models.{name}.input.normalise: give one rule for all bands, or one for each "
            f"of {', '.join(own)}"
        )
    if len(set(shown)) != len(shown):
        yield f"models.{name}.input.bands: a band stands twice"
    for key, part in model.train.parts():
        yield from _augment_problems(experiment, f"models.{name}.{key}", part)
    if experiment.data.bands is not None and _mixes_values(model.infer.tta):
        yield (
            f"models.{name}.infer.tta: scale, brightness and gamma are for 8-bit RGB, and "
            "not for data.bands"
        )


def _axis_problems(experiment: Experiment, name: str) -> Iterator[str]:
    axes, data = experiment.models[name].infer.axes, experiment.data
    if axes is None:
        return
    place = f"models.{name}.infer.axes"
    if data.volume is None:
        yield (
            f"{place} needs data.volume: images that are slices of volumes, or folders of them "
            "(images: train/{id})"
        )
    elif data.volume.axis.lower() not in axes:
        yield f"{place} must hold {data.volume.axis.lower()}, along which the network is trained"
    if data.frame.pad or data.frame.scale != 1 or any(data.frame.shift):
        yield f"{place} and data.frame do not go together: it moves slices along one axis alone"
    if experiment.ensemble.used_outputs:
        yield f"{place}: auxiliary outputs are those of one axis; leave out steps with by"


def _crf_problems(experiment: Experiment, name: str) -> Iterator[str]:
    crf, multiclass = experiment.models[name].crf_rnn, experiment.data.multiclass
    if crf is not None and crf.exclusive != multiclass:
        wanted = str(multiclass).lower()
        yield (
            f"models.{name}.crf_rnn.exclusive: data.multiclass is {wanted}; set exclusive: {wanted}"
        )


def _augment_problems(experiment: Experiment, place: str, train: TrainConfig) -> Iterator[str]:
    if experiment.data.bands is None and train.augment.band_drop:
        yield f"{place}.augment.band_drop needs data.bands"
    if experiment.data.bands is not None and train.augment.colour_on != "cpu":
        yield f"{place}.augment.colour_on: device is for 8-bit RGB, and not for data.bands"


def _loss_problems(experiment: Experiment) -> Iterator[str]:
    data = experiment.data
    for name, model in experiment.models.items():
        shared = {key: part.loss for key, part in experiment.train.parts()}
        for key, part in model.train.parts():
            place = key if shared.get(key, ()) == part.loss else f"models.{name}.{key}"
            for each in misfits(part.loss or (), data.class_names, data.multiclass):
                yield f"{place}.loss: {each}"


def _init_problems(experiment: Experiment) -> Iterator[str]:
    """Circles of models that start from each other, each told once."""
    told = set[str]()
    for name in experiment.models:
        chain = [name]
        while (source := _own_source(experiment, chain[-1])) is not None and source not in chain:
            chain.append(source)
        if source == name and name not in told:
            told |= {*chain}
            circle = " → ".join([*chain, name])
            yield f"models.{name}.init: {circle} is a circle; one must start from something else"


def _own_source(experiment: Experiment, model: str) -> str | None:
    """The model of the same experiment whose name or folder `init` is."""
    init, models = experiment.models[model].init, experiment.models
    if init is None or init in models:
        return init
    path = Path(os.path.normpath(init))
    is_own = path.parent == Path("runs", experiment.name) and path.name in models
    return path.name if is_own else None


def _mixes_values(views: tuple[str, ...]) -> bool:
    return any(name in view for view in views for name in ("scale", "brightness", "gamma"))
