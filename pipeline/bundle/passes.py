"""Predicts test images model by model within a time budget: a whole model, or none of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from pipeline.bundle.deadline import Deadline
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.disk_space import check_room
from pipeline.ensemble.outputs import plane_names
from pipeline.errors import ResourceError
from pipeline.execution.executor import Job, Machine, run_jobs
from pipeline.inference.job import VERSION, InferJob, MemberWeights, Output, predict_range
from pipeline.inference.map_ranges import number_of_ranges, whole_ranges
from pipeline.inference.other_axes import further_axes
from pipeline.inference.sinks import StoreSink
from pipeline.manifests import fingerprint
from pipeline.maps import MapShape, MapStore
from pipeline.maps.planned import PlannedStore
from pipeline.prediction.finished_run import FinishedRun, verify_weights
from pipeline.prediction.image_list import slices_by_volume
from pipeline.reporting import Reporter, duration
from pipeline.size import Size
from pipeline.workspace import Workspace

PROBED = 50
"""One image of so many tells how long all of them will take."""
FEWEST_PROBED = 8


@dataclass(frozen=True)
class Passes:
    """The models of a finished run over these images; maps lie below the workspace's run, so that
    a second attempt goes on with what the first one has.
    """

    run: FinishedRun
    samples: Mapping[str, Sample]
    sizes: Mapping[str, Size]
    machine: Machine
    workspace: Workspace
    reporter: Reporter

    def predict(self, model: str, deadline: Deadline) -> MapStore | None:
        """The maps of all images, by as many of the model's members as the time allows; None where
        it allows not one, or the disk has no room.
        """
        verify_weights(self.run, [model])
        members = self.run.members[model]
        planned = self._store(model, members)
        try:
            check_room("predict", planned.certain_bytes, [planned.folder], self.workspace.run, "")
        except ResourceError as error:
            self.reporter.warn(f"{model} is left out: {error}")
            return None
        allowed = self._affordable(model, members, planned.ready(), deadline)
        if not allowed:
            return None
        if len(allowed) < len(members):
            self.reporter.warn(
                f"{model}: the time is enough for {len(allowed)} of its {len(members)} members"
            )
        store = self._store(model, allowed).ready()
        self._work(model, allowed, store, store.pending(), deadline)
        if store.is_complete:
            return MapStore.open(store.folder)
        self.reporter.warn(f"{model} is left out: the time was over before its last image")
        return None

    def _affordable(
        self, model: str, members: Sequence[MemberWeights], store: MapStore, deadline: Deadline
    ) -> Sequence[MemberWeights]:
        """The members that fit into the time, measured with some images, whose maps are kept."""
        pending = store.pending()
        few = max(FEWEST_PROBED * len(self.machine.devices), len(pending) // PROBED)
        if len(pending) <= few:
            return members
        started = time.monotonic()
        self._work(model, members, store, pending[:few], deadline)
        done = few - len(set(store.pending()) & set(pending[:few]))
        if not done:
            self.reporter.warn(f"{model} is left out: the time is over")
            return ()
        each = (time.monotonic() - started) / done
        needed = each * (len(pending) - done)
        self.reporter.say(f"{model}: {duration(needed)} for {len(pending) - done} more image(s)")
        if needed <= deadline.left:
            return members
        whole = each * len(self.samples) / len(members)
        fitting = int(max(0.0, deadline.left) / whole)
        if not fitting:
            self.reporter.warn(
                f"{model} is left out: one member needs {duration(whole)}, and "
                f"{duration(max(0.0, deadline.left))} are left"
            )
        return members[:fitting]

    def _work(
        self,
        model: str,
        members: Sequence[MemberWeights],
        store: MapStore,
        ids: Sequence[str],
        deadline: Deadline,
    ) -> None:
        jobs = [
            Job(f"{model} {number}", predict_range, (self._job(model, members, store, some),))
            for number, some in enumerate(self._ranges(model, ids))
        ]
        if jobs and deadline.left > 0:
            with deadline.enforced():
                run_jobs("predict", jobs, self.machine, self.workspace, self.reporter)

    def _ranges(self, model: str, ids: Sequence[str]) -> list[list[str]]:
        data = self.run.experiment.data
        groups = [[each] for each in ids]
        if further_axes(self.run.experiment.models[model].infer, data):
            volumes = slices_by_volume(list(self.samples.values()), data).values()
            groups = [some for some in volumes if not set(some).isdisjoint(ids)]
        pixels = [sum(prod(self.sizes[each]) for each in group) for group in groups]
        return whole_ranges(groups, pixels, number_of_ranges(len(ids), len(self.machine.devices)))

    def _job(
        self, model: str, members: Sequence[MemberWeights], store: MapStore, ids: Sequence[str]
    ) -> InferJob:
        experiment = self.run.experiment
        return InferJob(
            outputs=(Output(experiment.models[model], tuple(members)),),
            sink=StoreSink((store,)),
            classes=len(experiment.data.classes),
            multiclass=experiment.data.multiclass,
            reader=SampleReader(experiment.data),
            samples=tuple(self.samples[each] for each in ids),
            auxiliary=self.run.recipe.outputs,
        )

    def _store(self, model: str, members: Sequence[MemberWeights]) -> PlannedStore:
        experiment = self.run.experiment
        infer = experiment.models[model].infer
        shapes = tuple(MapShape(each, *self.sizes[each]) for each in self.samples)
        made_from = [each.checksum for each in members]
        return PlannedStore(
            folder=self.workspace.maps(model, "test"),
            shapes=shapes,
            classes=plane_names(experiment.data.class_names, self.run.recipe.outputs),
            fingerprint=fingerprint(VERSION, made_from, [list(self.sizes[s.id]) for s in shapes]),
            dtype=infer.dtype,
            codec=infer.codec,
        )


def rebased(run: FinishedRun, root: Path) -> FinishedRun:
    """The same run on the data in `root`."""
    data = run.experiment.data.model_copy(update={"root": root})
    return replace(run, experiment=run.experiment.model_copy(update={"data": data}))
