"""infer: out-of-fold maps of every model, and test maps averaged over its folds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.competition.catalog import Part as SamplePart
from pipeline.errors import ArtefactError
from pipeline.executor import Job
from pipeline.inference.job import InferJob, Output, Weights, predict_range
from pipeline.maps import MapShape, MapStore
from pipeline.stages import align, check, folds, train
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.stages.train import Member
from pipeline.workspace import Part, fingerprint


@dataclass(frozen=True)
class Inferred:
    """The map stores of every model; `test` is empty where the competition has no test images."""

    oof: dict[str, MapStore]
    test: dict[str, MapStore]


@once
def run(context: StageContext) -> Inferred:
    """Predict what is missing or stale of the chosen models and folds."""
    survey, table, members = check.run(context), folds.run(context), train.run(context)
    started = time.monotonic()
    planner = _Planner(context, survey, table, members)
    oof, test = planner.out_of_fold(), planner.test()
    jobs = planner.jobs
    if jobs:
        maps = sum(len(job.samples) * len(job.outputs) for job in jobs.values())
        context.run_jobs("infer", [Job(name, predict_range, (job,)) for name, job in jobs.items()])
        context.done("infer", f"{maps} maps", context.workspace.run, started)
    else:
        context.up_to_date("infer", context.workspace.run)
    return Inferred(
        {model: MapStore.open(store.folder) for model, store in oof.items()},
        {model: MapStore.open(store.folder) for model, store in test.items()},
    )


class _Planner:
    """Finds out which maps are not there and lists the jobs that make them."""

    def __init__(
        self,
        context: StageContext,
        survey: Survey,
        table: pd.DataFrame,
        members: dict[tuple[str, int], Member],
    ) -> None:
        self._context, self._survey, self._table, self._members = context, survey, table, members
        self._used = context.used_folds()
        self.jobs: dict[str, InferJob] = {}

    def out_of_fold(self) -> dict[str, MapStore]:
        """Each model's store of maps by the members that did not see the image."""
        context, held_out = self._context, self._table[self._table["fold"].isin(self._used)]
        stores = {
            model: self._store(model, "oof", held_out["id"].tolist()) for model in context.models()
        }
        for fold in context.folds():
            mine = set(held_out.loc[held_out["fold"] == fold, "id"])
            self._add(f"oof{fold}", "train", stores, mine, [fold], share=len(context.folds()))
        return stores

    def test(self) -> dict[str, MapStore]:
        """Each model's store of test maps, averaged over its folds; none when FOLD= chose one."""
        everyone = [record.id for record in self._survey.of("test")]
        if not everyone or self._context.fold is not None:
            return {}
        stores = {model: self._store(model, "test", everyone) for model in self._context.models()}
        self._add("test", "test", stores, set(everyone), self._used, share=1)
        return stores

    def _add(
        self,
        what: str,
        part: SamplePart,
        stores: dict[str, MapStore],
        wanted: set[str],
        used: Sequence[int],
        share: int,
    ) -> None:
        """Jobs for what `stores` lack of `wanted`: models that lack the same share each decoding.

        share: how many such calls will divide the devices between them.
        """
        alike: dict[tuple[str, ...], list[str]] = {}
        for model, store in stores.items():
            pending = tuple(each for each in store.pending() if each in wanted)
            alike.setdefault(pending, []).append(model)
        for pending, models in alike.items():
            for number, ids in enumerate(self._split(pending, share)):
                name = f"{what} {','.join(models)} {number}"
                self.jobs[name] = self._job(part, [(m, stores[m]) for m in models], ids, used)

    def _split(self, ids: Sequence[str], share: int) -> list[Sequence[str]]:
        """Contiguous ranges of nearly equal length, one a device."""
        if not ids:
            return []
        size = -(-len(ids) // max(1, len(self._context.machine.devices) // share))
        return [ids[start : start + size] for start in range(0, len(ids), size)]

    def _job(
        self,
        part: SamplePart,
        stores: Sequence[tuple[str, MapStore]],
        ids: Sequence[str],
        used: Sequence[int],
    ) -> InferJob:
        data, models = self._context.experiment.data, self._context.experiment.models
        outputs = [
            Output(
                models[model],
                tuple(
                    _weights_of(self._members[model, fold], models[model].infer.checkpoint)
                    for fold in used
                ),
                store,
            )
            for model, store in stores
        ]
        return InferJob(
            outputs=tuple(outputs),
            classes=len(data.classes),
            exclusive=data.exclusive,
            reader=align.run(self._context),
            samples=self._survey.samples(part, ids),
        )

    def _store(self, model: str, part: Part, ids: list[str]) -> MapStore:
        """The model's store of that part, made anew if it is of other members or settings."""
        context, infer = self._context, self._context.experiment.models[model].infer
        where: SamplePart = "train" if part == "oof" else "test"
        folder = context.workspace.maps(model, part)
        made_from = fingerprint(
            "maps/1",
            part,
            [self._members[model, fold].fingerprint for fold in self._used],
            infer.model_copy(update={"batch": 1, "channels_last": True, "compile": False}),
            context.experiment.data.class_names,
            self._survey.fingerprint(where),
        )
        existing = _opened(folder)
        if existing is not None and existing.fingerprint == made_from and existing.is_complete:
            return existing
        if existing is None or existing.fingerprint != made_from:
            shutil.rmtree(folder, ignore_errors=True)
        return MapStore.create(
            folder,
            [MapShape(each, *self._survey.sizes[where, each]) for each in ids],
            context.experiment.data.class_names,
            fingerprint=made_from,
            dtype=infer.dtype,
            codec=infer.codec,
        )


def _opened(folder: Path) -> MapStore | None:
    """The store in that folder, if one was laid out there."""
    try:
        return MapStore.open(folder)
    except ArtefactError:
        return None


def _weights_of(member: Member, checkpoint: Literal["best", "last"]) -> Weights:
    """The weights that predict."""
    manifest = member.manifest
    path = member.paths.weights(checkpoint, manifest["weights"])
    return Weights(member.name, path, manifest["files"][path.name])
