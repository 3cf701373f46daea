"""infer: out-of-fold maps of every model, and test maps averaged over its folds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline.competition.reading import SampleReader
from pipeline.errors import ArtefactError
from pipeline.executor import Job
from pipeline.inference.job import InferJob, predict_range
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
    reader = align.run(context)
    started = time.monotonic()
    planner = _Planner(context, survey, table, members, reader)
    for model in context.models():
        planner.plan(model)
    if planner.jobs:
        maps = sum(len(job.arguments[0].samples) for job in planner.jobs)
        context.run_jobs("infer", planner.jobs)
        context.done("infer", f"{maps} maps", context.workspace.run, started)
    else:
        context.up_to_date("infer", context.workspace.run)
    return Inferred(
        {model: MapStore.open(store.folder) for model, store in planner.oof.items()},
        {model: MapStore.open(store.folder) for model, store in planner.test.items()},
    )


class _Planner:
    """Finds out which maps are not there and lists the jobs that make them."""

    def __init__(
        self,
        context: StageContext,
        survey: Survey,
        table: pd.DataFrame,
        members: dict[tuple[str, int], Member],
        reader: SampleReader,
    ) -> None:
        self._context, self._survey, self._table = context, survey, table
        self._members, self._reader = members, reader
        self.jobs: list[Job] = []
        self.oof: dict[str, MapStore] = {}
        self.test: dict[str, MapStore] = {}

    def plan(self, model: str) -> None:
        used = self._context.used_folds()
        held_out = self._table[self._table["fold"].isin(used)]
        store = self.oof[model] = self._store(model, "oof", held_out["id"].tolist(), used)
        pending = set(store.pending())
        for fold in self._context.folds():
            mine = held_out.loc[held_out["fold"] == fold, "id"]
            ids = [each for each in mine if each in pending]
            self._add(store, model, "oof", ids, [fold])
        everyone = [record.id for record in self._survey.of("test")]
        if everyone and self._context.fold is None:
            store = self.test[model] = self._store(model, "test", everyone, used)
            slots = len(self._context.machine.devices) if store.pending() else 1
            for ids in _split(store.pending(), slots):
                self._add(store, model, "test", ids, used)

    def _add(
        self, store: MapStore, model: str, part: Part, ids: list[str], used: Sequence[int]
    ) -> None:
        if not ids:
            return
        where: Literal["train", "test"] = "train" if part == "oof" else "test"
        config, data = self._context.experiment.models[model], self._context.experiment.data
        name = f"{model}/{part}{used[0] if part == 'oof' else ''} {ids[0]}"
        job = InferJob(
            name=name,
            model=config,
            classes=len(data.classes),
            exclusive=data.exclusive,
            members=tuple(
                _weights_of(self._members[model, fold], config.infer.checkpoint) for fold in used
            ),
            reader=self._reader,
            samples=self._survey.samples(where, ids),
            store=store,
        )
        self.jobs.append(Job(name, predict_range, (job,)))

    def _store(self, model: str, part: Part, ids: list[str], used: Sequence[int]) -> MapStore:
        """The model's store of that part, made anew if it is of other members or settings."""
        context, infer = self._context, self._context.experiment.models[model].infer
        where: Literal["train", "test"] = "train" if part == "oof" else "test"
        folder = context.workspace.maps(model, part)
        shapes = [MapShape(each, *self._survey.sizes[where, each]) for each in ids]
        made_from = fingerprint(
            "maps/1",
            part,
            [self._members[model, fold].fingerprint for fold in used],
            infer.model_copy(update={"batch": 1, "channels_last": True, "compile": False}),
            self._survey.fingerprint(where),
        )
        arguments = (folder, shapes, context.experiment.data.class_names)
        kind = {"fingerprint": made_from, "dtype": infer.dtype, "codec": infer.codec}
        try:
            return MapStore.create(*arguments, **kind)  # type: ignore[arg-type]
        except ArtefactError:
            if _is_ours(folder, made_from):
                raise
            shutil.rmtree(folder)
            return MapStore.create(*arguments, **kind)  # type: ignore[arg-type]


def _is_ours(folder: object, made_from: str) -> bool:
    """Whether the store in that folder is of the wanted fingerprint (so is not stale)."""
    try:
        return MapStore.open(folder).fingerprint == made_from  # type: ignore[arg-type]
    except ArtefactError:
        return False


def _split(ids: list[str], parts: int) -> list[list[str]]:
    """Contiguous ranges of nearly equal length, one a device."""
    size = -(-len(ids) // parts)
    return [ids[start : start + size] for start in range(0, len(ids), size)] if ids else []


def _weights_of(member: Member, checkpoint: Literal["best", "last"]) -> tuple[str, str, str]:
    """Name, path and checksum of the weights that predict."""
    manifest = member.manifest
    path = member.paths.weights(checkpoint, manifest["weights"])
    return member.name, str(path), manifest["files"][path.name]
