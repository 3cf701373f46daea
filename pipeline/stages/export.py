"""export: writes a model in a format that other programs read, checked against the predictor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.atomic_files import write_atomic
from pipeline.data.samples import SampleReader
from pipeline.disk_space import disk_errors_reported
from pipeline.errors import ArtefactError, ConfigError, DataError
from pipeline.exporting.card import card_of
from pipeline.exporting.check import TOLERANCE, check_images, largest_difference
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.exporting.formats import get_format
from pipeline.inference.job import MemberWeights, load_network
from pipeline.member_id import ALL_IMAGES, MemberId, fold_name
from pipeline.prediction.finished_run import (
    FinishedRun,
    read_finished_run,
    refuse_references,
    verify_weights,
)
from pipeline.stages.context import StageContext
from pipeline.suggestions import check_name
from pipeline.workspace import FinishedPaths


@dataclass(frozen=True)
class ExportRequest:
    """The options of the user."""

    model: str | None
    fold: int | Literal["all"] | None
    format: str
    out: Path | None
    seed: int | None = None


@disk_errors_reported()
def run(context: StageContext, folder: Path, request: ExportRequest) -> Path:
    """Write one model (the mean of its members, or of those of one fold or seed), with a card
    beside it; its path.

    A file that does not compute what the predictor does on three images is removed again, and
    ArtefactError says by how much it differs.
    """
    started = time.monotonic()
    chosen = get_format(request.format)
    finished = read_finished_run(folder)
    refuse_references(finished.experiment)
    model = _model(finished, request.model)
    members = _members(finished, model, request)
    verify_weights(finished, [model])
    network = network_of(finished, model, members)
    name = "-".join([model, *_choice(request)])
    path = (request.out or FinishedPaths(folder).exports) / f"{name}.{chosen.suffix}"
    if path.parent.exists() and not path.parent.is_dir():
        raise DataError(f"{path.parent} is a file, so nothing can be written below it")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        chosen.write(network, SampleReader(finished.experiment.data).channels.total, partial)
        checked = _checked(finished, model, network, chosen.read(partial, network), path)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    thresholds = finished.facts["models"][model]["thresholds"]
    names = [each.member for each in members]
    card = card_of(finished.experiment, model, names, thresholds, network.step)
    text = yaml.safe_dump({"format": request.format, **card, "check": checked}, sort_keys=False)
    write_atomic(path.with_suffix(".yaml"), text)
    context.done("export", f"{name} as {request.format} and its card", path, started)
    return path


def _checked(
    finished: FinishedRun, model: str, network: ExportedNetwork, computes: Any, path: Path
) -> dict[str, Any]:
    """The result of the comparison, for the card."""
    if computes is None:
        return {"done": False, "why": "onnxruntime is not installed here"}
    config = finished.experiment.models[model]
    images, source = check_images(SampleReader(finished.experiment.data), config.input.resize)
    difference = largest_difference(computes, network, config.infer, images)
    if not difference <= TOLERANCE:
        raise ArtefactError(
            f"{path}: its probabilities differ from the predictor's by up to {difference:.2g}, so "
            f"the file was removed; this network ({config.title}) does not "
            "work in this format, try another FORMAT"
        )
    return {"done": True, "images": source, "largest_difference": difference}


def _model(finished: FinishedRun, wish: str | None) -> str:
    names = list(finished.experiment.models)
    if wish is None:
        if len(names) == 1:
            return names[0]
        raise ConfigError(f"export: choose one of the models {', '.join(names)} with MODEL=")
    check_name("model", wish, names)
    return wish


def _members(
    finished: FinishedRun, model: str, request: ExportRequest
) -> tuple[MemberWeights, ...]:
    """Those of the chosen fold and seed; ConfigError where there is none."""
    every = {MemberId.named(each.member): each for each in finished.members[model]}
    wish = ALL_IMAGES if request.fold == "all" else request.fold
    folds = list(dict.fromkeys(each.fold for each in every))
    seeds = sorted({each.seed for each in every})
    if request.fold not in (None, *("all" if each == ALL_IMAGES else each for each in folds)):
        there = ", ".join(fold_name(each).removeprefix("fold") for each in folds)
        raise ConfigError(f"FOLD={request.fold}: {model} has the folds {there}")
    if request.seed not in (None, *seeds):
        there = ", ".join(map(str, seeds))
        raise ConfigError(
            f"SEED={request.seed}: {model} has the seeds {there} (models.{model}.seeds)"
        )
    return tuple(
        weights
        for member, weights in every.items()
        if wish in (None, member.fold) and request.seed in (None, member.seed)
    )


def _choice(request: ExportRequest) -> Iterator[str]:
    """The fold and seed that were asked for, for a file's name."""
    if request.fold is not None:
        yield "all" if request.fold == "all" else fold_name(request.fold)
    if request.seed is not None:
        yield f"seed{request.seed}"


def network_of(
    finished: FinishedRun, model: str, members: tuple[MemberWeights, ...]
) -> ExportedNetwork:
    """These members of a model as one network."""
    data, config = finished.experiment.data, finished.experiment.models[model]
    reader = SampleReader(data)
    networks = [
        load_network(config, weights.path, len(data.classes), reader.channels_for(config.input))
        for weights in members
    ]
    return ExportedNetwork(
        networks, config.infer.mean, multiclass=data.multiclass, scale=reader.source.scale
    )
