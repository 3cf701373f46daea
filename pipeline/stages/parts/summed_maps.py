"""The test maps of all models summed into one store, for `ensemble.accumulate`; no Make target.

It comes after `ensemble`, which fixes the weights, and `submit` asks for it. Models without weight
are not predicted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.disk_space import check_room
from pipeline.ensemble.blending.fixed_point import integer_weights
from pipeline.ensemble.blending.stream import SummedMaps
from pipeline.ensemble.recipe import Recipe
from pipeline.execution.executor import Job
from pipeline.inference.job import predict_range
from pipeline.inference.sinks import SumSink
from pipeline.manifests import fingerprint
from pipeline.maps import Accumulator
from pipeline.maps.planned import PlannedSums
from pipeline.stages import ensemble, train
from pipeline.stages.context import StageContext, once
from pipeline.stages.parts.map_jobs import Predicting


@once
def run(context: StageContext) -> Accumulator:
    """Complete sums of every test image; an unfinished store is continued."""
    recipe = ensemble.run(context).recipe
    predicting = Predicting.of(context, train.run(context))
    with context.alone_on_cluster("predict"):
        return _complete(predicting, recipe)


def _complete(predicting: Predicting, recipe: Recipe) -> Accumulator:
    context, started = predicting.context, time.monotonic()
    planned = planned_sums(predicting, recipe)
    check_room("submit", planned.certain_bytes, [planned.folder], context.workspace.run, "")
    if planned.damage:
        context.reporter.warn(f"submit: {planned.damage}")
    with context.exclusive("stores"):
        sums = planned.ready()
    passes = 0
    while not sums.is_complete:
        _add(predicting, recipe, sums, list(planned.weights))
        passes += 1
    if passes:
        made = f"test maps of {len(planned.weights)} model(s) summed for {len(sums)} images"
        context.done("infer", made, planned.folder, started)
    return sums


def planned_sums(predicting: Predicting, recipe: Recipe) -> PlannedSums:
    """The sums that the recipe decides from, with the very integers that its kernel multiplies by.

    Their fingerprint holds nothing of the thresholds: those may change, and the sums stay.
    """
    context, mean = predicting.context, recipe.mean
    shares = integer_weights(list(recipe.weights.values())).tolist()
    weights = {name: share for name, share in zip(recipe.names, shares, strict=True) if share}
    stores = {name: predicting.store(name, "test") for name in weights}
    first = next(iter(stores.values()))
    return PlannedSums(
        folder=context.workspace.summed_maps,
        shapes=first.shapes,
        classes=first.classes,
        fingerprint=fingerprint(
            "sums/2",
            weights,
            {name: [store.fingerprint, store.sources] for name, store in stores.items()},
            mean.name,
            None if mean.tables is None else mean.tables.tolist(),
        ),
        dtype="uint16" if mean.scale_type(first.dtype) == np.uint16 else "uint8",
        weights=weights,
    )


def reader_of(sums: Accumulator) -> Callable[[str], SummedMaps]:
    """A function from an id to what a recipe decides from."""
    scale: np.dtype[Any] = np.dtype(sums.source_dtype)
    return lambda each: SummedMaps(np.asarray(sums.read_sums(each)), scale)


def _add(predicting: Predicting, recipe: Recipe, sums: Accumulator, members: Sequence[str]) -> None:
    """One pass of models that fit into memory together. Passes write the same sums, so that they
    come one after another; a map that a kill put back to zero is pending again for all of them.
    """
    context = predicting.context
    used = context.predicting_folds()
    pending = {member: sums.pending(member) for member in members}
    group, _ = next(predicting.together(pending, used))
    infer = {member: context.experiment.models[member].infer for member in group}

    def sink_of(models: Sequence[str], _ids: Sequence[str]) -> SumSink:
        return SumSink(
            sums,
            tuple(models),
            tuple(infer[model].dtype for model in models),
            tuple(recipe.mean.table(recipe.names.index(model)) for model in models),
        )

    some = {member: pending[member] for member in group}
    jobs = predicting.jobs("sum", "test", some, sink_of, used)
    ordered = predicting.longest_first(jobs)
    waiting = [
        Job(name, predict_range, (job,), writes=job.sink.folders) for name, job in ordered.items()
    ]
    context.run_jobs("infer", waiting, width=len(context.machine.devices))
