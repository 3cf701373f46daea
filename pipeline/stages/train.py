"""train: trains every member, a (model, fold, seed), that is not trained yet."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from pipeline.atomic_files import sweep, write_atomic
from pipeline.config.recipes import described
from pipeline.execution.executor import Job, JobContext
from pipeline.locks import hold
from pipeline.manifests import is_fresh, lost_files, read_manifest
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.stages import align, check, folds
from pipeline.stages.context import StageContext, once
from pipeline.stages.parts import (
    augmentation_sheet,
    auxiliary_notes,
    decoded_samples,
    member_scores,
    trial_networks,
    warm_start,
)
from pipeline.stages.parts.changed_keys import changed_keys
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.stages.parts.member_jobs import make_job
from pipeline.stages.parts.sample_facts import given_weights
from pipeline.stages.parts.starting_weights import fetch_weights
from pipeline.training.length import samples_a_step
from pipeline.training.member import TrainJob
from pipeline.training.projection import Projection
from pipeline.training.staged import train_member
from pipeline.workspace import MemberPaths


@dataclass(frozen=True)
class Member:
    """A trained network: the place of its weights, and their inputs."""

    id: MemberId
    paths: MemberPaths
    fingerprint: str

    @property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.paths.manifest) or {}


@once
def run(context: StageContext) -> dict[MemberId, Member]:
    """Train what is missing or stale of the chosen models and folds.

    Returns the members of the chosen models on all used folds (and on all images, where
    `folds.all` asks for it), also those that FOLD= left out.
    """
    if not folds.is_kept(context):  # a network that cannot be made must not cost the table
        trial_networks.make_networks(context, align.run(context))
    jobs = list_jobs(context)
    started = time.monotonic()
    chosen = [job for member, job in jobs.items() if member.fold in context.chosen_folds()]
    stale = [job for job in chosen if not is_trained(job)]
    if stale:
        _say_why(context, stale)
        _say_recipes(context, stale)
        auxiliary_notes.warn(context, stale)
        warm_start.check(context, stale, check.run(context))
        trial_networks.check_room(context, stale)
        fetch_weights([job.model.architecture for job in stale], context.reporter.say)
        placed = decoded_samples.placed(context, stale)
        decoded_samples.prepare(context, on_disk=any(job.decoded for job in placed))
        first = next(place for place, job in enumerate(placed) if job.waits_for is None)
        placed[first] = replace(placed[first], projection=_projection(context, stale))
        augmentation_sheet.draw(context, placed)
        _train_all(context, placed, width=len(chosen))
        if any(job.waits_for is not None for job in stale):
            jobs = list_jobs(context)  # only now it is known what they started from
        names = ", ".join(job.name for job in stale)
        made = f"{len(stale)} member(s) trained ({names})"
        _show_scores(context, jobs)
        decoded_samples.warn_of_faults(context)
        context.done("train", made, context.workspace.run, started)
    else:
        if context.asked == "train":
            _show_scores(context, jobs)
        context.up_to_date("train", context.workspace.run)
    return {each: Member(each, job.paths, job.fingerprint) for each, job in jobs.items()}


def _train_all(context: StageContext, jobs: list[TrainJob], width: int) -> None:
    """Train the members, those that start from others after these."""
    while jobs:
        ready = [job for job in jobs if job.waits_for is None]
        context.run_jobs("train", [_job(job) for job in ready], width=width)
        left = {job.name for job in jobs} - {job.name for job in ready}
        if not left:
            return
        jobs = [job for job in list_jobs(context).values() if job.name in left]
        warm_start.check(context, jobs, check.run(context))
        jobs = decoded_samples.placed(context, jobs)


def _job(job: TrainJob) -> Job:
    return Job(job.name, _train, (job,), makes=(job.paths.manifest,))


def _show_scores(context: StageContext, jobs: dict[MemberId, TrainJob]) -> None:
    shown = {each: job.paths for each, job in jobs.items() if each.fold in context.folds()}
    if shown:  # the members of all images have no score
        member_scores.show(context, shown)


def list_jobs(context: StageContext) -> dict[MemberId, TrainJob]:
    """The members, trained or not, of the chosen models on all folds that are used or chosen."""
    survey, reader = check.run(context), align.run(context)
    trial_networks.rehearse(context, reader)
    ordered = warm_start.in_order(context, context.models())
    table = folds.run(context)
    every = sorted({*context.used_folds(), *context.folds()})
    splits = {fold: FoldSplit.of(survey, table, fold) for fold in every}
    if context.experiment.folds.all:
        every.append(ALL_IMAGES)
        images = [len(splits[fold].train) for fold in context.used_folds()]
        splits[ALL_IMAGES] = FoldSplit.of_all(survey, table, round(sum(images) / len(images)))
    given, jobs = given_weights(context, survey, ordered), dict[MemberId, TrainJob]()
    for model in ordered:
        for member in context.members(model, every):
            jobs[member] = make_job(context, splits[member.fold], reader, member, given, jobs)
    for job in jobs.values():
        _restore_history(job.paths)
    return {
        member: jobs[member]
        for model in context.models()
        for member in context.members(model, every)
    }


def is_trained(job: TrainJob) -> bool:
    return is_fresh(job.paths.manifest, job.fingerprint)


def _restore_history(paths: MemberPaths) -> None:
    """Rewrite a lost history from the manifest, which contains it, instead of training again."""
    manifest = read_manifest(paths.manifest) or {}
    if "history" in manifest and paths.history in lost_files(paths.manifest):
        write_atomic(paths.history, manifest["history"])


def _projection(context: StageContext, stale: list[TrainJob]) -> Projection:
    parts = [part for job in stale for part in job.parts]
    steps = sum(part.length.total for part in parts)
    at_once = min(len(context.machine.devices), len(stale))
    staged = any(job.stages for job in stale)
    return Projection(len(stale), steps, at_once, _work(stale) if staged else None)


def _work(stale: list[TrainJob]) -> float:
    """The steps of all stages in steps of the first job's first one, by the pixels of each."""
    parts = [part for job in stale for part in job.parts]
    return sum(part.length.total * _pixels(part) for part in parts) / _pixels(parts[0])


def _pixels(part: TrainJob) -> int:
    train = part.model.train
    return samples_a_step(train) * train.size[0] * train.size[1]


def _say_why(context: StageContext, stale: list[TrainJob]) -> None:
    """Say which finished members are trained again, and what has changed for them."""
    members: dict[str, list[str]] = {}
    for job in stale:
        reason = _reason(job)
        if reason is not None:
            members.setdefault(reason, []).append(job.name)
    for reason, names in members.items():
        context.reporter.say(f"train: retraining {', '.join(names)}: {reason}")


def _say_recipes(context: StageContext, stale: list[TrainJob]) -> None:
    """Name the recipes that are used, and the keys that they set."""
    told = [
        described(model.recipe, model.model_dump(mode="json"))
        for model in (job.model for job in stale)
        if model.recipe is not None
    ]
    for each in dict.fromkeys(told):
        context.reporter.say(f"train: {each}")


def _reason(job: TrainJob) -> str | None:
    """Why a finished member is stale; None for one that was never finished."""
    manifest = read_manifest(job.paths.manifest)
    if manifest is None:
        path = job.paths.manifest
        return f"{path.name} is damaged" if path.exists() else None
    if manifest.get("fingerprint") == job.fingerprint:
        lost = ", ".join(path.name for path in lost_files(job.paths.manifest))
        return f"{lost} missing or changed in size"
    before = manifest.get("made_from")
    if not isinstance(before, dict):
        return "it was trained by an earlier version of this program"
    changed = [name for name, value in job.made_from.items() if before.get(name) != value]
    keys = changed_keys(manifest.get("settings"), job.settings)
    return f"changed: {', '.join(changed)}{keys}"


def _train(job: TrainJob, context: JobContext) -> None:
    """Train one member unless another process has just done it."""
    with hold(job.paths.folder / ".lock"):
        sweep(job.paths.folder)
        if not is_trained(job):
            train_member(job, context)
