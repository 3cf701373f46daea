"""train: every member, a (model, fold), that is not trained yet."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.competition.reading import SampleReader
from pipeline.config import ModelConfig
from pipeline.executor import Job, JobContext
from pipeline.locks import hold
from pipeline.models.factory import build_model
from pipeline.space import check_room
from pipeline.stages import align, check, folds
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.training.footprint import Footprint, footprint
from pipeline.training.job import TrainJob
from pipeline.training.loop import train_member
from pipeline.training.rehearsal import check_batch
from pipeline.workspace import MemberPaths, file_checksum, fingerprint, is_fresh, read_manifest


@dataclass(frozen=True)
class Member:
    """A trained network: where its weights are and what they were made from."""

    model: str
    fold: int
    paths: MemberPaths
    fingerprint: str

    @property
    def name(self) -> str:
        return f"{self.model}/fold{self.fold}"

    @property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.paths.manifest) or {}


@once
def run(context: StageContext) -> dict[tuple[str, int], Member]:
    """Train what is missing or stale of the chosen models and folds.

    Returns the members of the chosen models on all used folds, also those that FOLD= left out.
    """
    jobs = list_jobs(context)
    started = time.monotonic()
    chosen = [job for (_, fold), job in jobs.items() if fold in context.folds()]
    stale = [job for job in chosen if not is_trained(job)]
    if stale:
        _check_room(context, stale)
        waiting = [Job(job.name, _train, (job,)) for job in stale]
        context.run_jobs("train", waiting, width=len(chosen))
        names = ", ".join(job.name for job in stale)
        made = f"{len(stale)} member(s) trained ({names})"
        context.done("train", made, context.workspace.run, started)
    else:
        context.up_to_date("train", context.workspace.run)
    return {key: Member(*key, job.paths, job.fingerprint) for key, job in jobs.items()}


def list_jobs(context: StageContext) -> dict[tuple[str, int], TrainJob]:
    """The members, trained or not, of the chosen models on all folds that are used or chosen."""
    survey, table = check.run(context), folds.run(context)
    reader = align.run(context)
    every = sorted({*context.used_folds(), *context.folds()})
    return {
        (model, fold): _job(context, survey, table, reader, model, fold)
        for model in context.models()
        for fold in every
    }


def is_trained(job: TrainJob) -> bool:
    return is_fresh(job.paths.manifest, job.fingerprint)


def _check_room(context: StageContext, stale: list[TrainJob]) -> None:
    """ResourceError unless the checkpoints fit; that needs each network's size, so it is built."""
    first = {job.model.network: job for job in reversed(stale)}
    each = {network: _footprint(job) for network, job in first.items()}
    kept = sum(each[job.model.network].kept for job in stale)
    at_once = min(len(context.machine.devices), len(stale))
    working = at_once * max(footprint.working for footprint in each.values())
    folders = [job.paths.folder for job in stale]
    check_room("train", kept + working, folders, context.workspace.run, "")


def _footprint(job: TrainJob) -> Footprint:
    """Also ConfigError where the network cannot be trained on its batches."""
    unweighted = job.model.network.model_copy(update={"weights": None})
    network = build_model(unweighted, classes=len(job.classes), in_channels=job.reader.channels)
    size = footprint(network, job.model.train)
    check_batch(job.name.partition("/")[0], network, job.reader.channels, job.model.train)
    return size


def _train(job: TrainJob, context: JobContext) -> None:
    """Train one member unless another process has just done it."""
    with hold(job.paths.folder / ".lock"):
        if not is_trained(job):
            train_member(job, context)


def _job(
    context: StageContext,
    survey: Survey,
    table: pd.DataFrame,
    reader: SampleReader,
    model: str,
    fold: int,
) -> TrainJob:
    experiment = context.experiment
    config = experiment.models[model]
    seed = int(fingerprint(config.train.seed, model, fold)[:8], 16)
    seeded = config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})
    held_out = table["fold"] == fold
    return TrainJob(
        name=f"{model}/fold{fold}",
        model=seeded,
        ensemble=experiment.ensemble,
        classes=experiment.data.class_names,
        exclusive=experiment.data.exclusive,
        losses=config.train.loss or experiment.losses,
        reader=reader,
        train=survey.samples("train", table.loc[~held_out, "id"].tolist()),
        held_out=survey.samples("train", table.loc[held_out, "id"].tolist()),
        paths=context.workspace.member(model, fold),
        fingerprint=_fingerprint(context, survey, table, seeded, fold),
    )


def _fingerprint(
    context: StageContext, survey: Survey, table: pd.DataFrame, model: ModelConfig, fold: int
) -> str:
    """Everything that the member's bytes depend on; not how fast they are made."""
    experiment = context.experiment
    return fingerprint(
        "member/2",
        model.network,
        _weights_checksum(model.weights),
        model.train.model_dump(mode="json", exclude={"workers", "cache", "save_minutes"}),
        model.train.loss or experiment.losses,
        experiment.data.class_names,
        experiment.data.exclusive,
        experiment.data.frame,
        survey.fingerprint("train"),
        sorted(table.loc[table["fold"] == fold, "id"]),
        None if model.reference == "none" else align.fingerprint_of(context, "train"),
    )


def _weights_checksum(weights: str | None) -> str | None:
    path = Path(weights) if weights else None
    return file_checksum(path) if path is not None and path.is_file() else None
