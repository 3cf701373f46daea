"""The part of the report about settings, versions, dates and durations."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import yaml

from pipeline.config import Experiment, TrainConfig
from pipeline.config.losses import LossTerm
from pipeline.reporting import duration
from pipeline.reports.choices import named_steps
from pipeline.reports.html import Folded, Section, Table
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.parts import timings
from pipeline.training.optimizers import peak_rate

PACKAGES = ("maskmill", "torch", "segmentation-models-pytorch", "timm", "albumentations", "numpy")


def section(context: StageContext, ensembled: Ensembled) -> Section:
    """Settings that people ask for, the whole experiment, versions, dates and durations."""
    return Section(
        "How it was made",
        table=Table(["", ""], [list(row) for row in _rows(context, ensembled)]),
        folded=[
            Folded("the whole experiment, where it is not the default", text=_experiment(context)),
            Folded("durations", text=_durations(context)),
        ],
    )


def _rows(context: StageContext, ensembled: Ensembled) -> Iterator[tuple[str, str]]:
    experiment = context.experiment
    yield "page written", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    yield "versions", ", ".join(_versions())
    yield "machine", f"{platform.system()} {platform.machine()}, {_devices(context)}"
    for name, model in experiment.models.items():
        parts = [_training(experiment, part) for _, part in model.train.parts()]
        seeds = f"; {model.seeds} seeds" if model.seeds > 1 else ""
        yield f"training of {name}", "; then ".join(parts) + seeds
    yield "mean over models", experiment.ensemble.mean
    yield "post-processing", named_steps(ensembled.facts["postprocess"])


def _training(experiment: Experiment, train: TrainConfig) -> str:
    loss = " + ".join(map(_named, experiment.losses(train)))
    return (
        f"{loss}; {train.duration}, batch {train.batch}, {train.optimizer}, "
        f"lr {peak_rate(train):g}, crop {train.size[0]}×{train.size[1]}"
    )


def _named(term: LossTerm) -> str:
    given = term.model_dump(mode="json", exclude_defaults=True, exclude={"name", "weight"})
    options = ", ".join(f"{key} {value}" for key, value in given.items())
    return f"{term.weight:g} {term.name}" + (f" ({options})" if options else "")


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:  # maskmill itself, run from its folder
            continue


def _devices(context: StageContext) -> str:
    devices = context.machine.devices
    return f"{len(devices)} × {devices[0].partition(':')[0]}"


def _experiment(context: StageContext) -> str:
    experiment = context.experiment
    values = experiment.model_dump(mode="json", exclude_defaults=True, exclude={"track"})
    blocks = [(values, experiment.train)]
    blocks += [(values["models"][name], model.train) for name, model in experiment.models.items()]
    for block, settings in blocks:
        if (
            settings.length is None and not settings.stages
        ):  # or a reader would take it for the default length
            block.setdefault("train", {})["epochs"] = settings.epochs
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _durations(context: StageContext) -> str:
    """A line a stage. The scorecard itself is not over while its page is written."""
    lines = [
        f"{each.stage:<10} {duration(each.seconds):>9}  {each.finished} UTC  {each.made}"
        + (f" ({each.times} times)" if each.times > 1 else "")
        for each in timings.spent(context.workspace.timings)
    ]
    return "\n".join(lines) or "not recorded"
