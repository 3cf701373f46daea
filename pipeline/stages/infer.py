"""infer: predicts out-of-fold maps of every model, and test maps averaged over its folds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.disk_space import check_room
from pipeline.execution.executor import Job
from pipeline.inference.job import InferJob, predict_range
from pipeline.inference.sinks import StoreSink
from pipeline.maps import MapStore
from pipeline.maps.planned import PlannedStore
from pipeline.stages import train
from pipeline.stages.context import StageContext, once
from pipeline.stages.parts.map_jobs import Predicting
from pipeline.workspace import MapPart

SMALLER = ", or try infer.dtype: uint8, infer.codec: blosc2 or ensemble.accumulate: true"


@dataclass(frozen=True)
class Inferred:
    """The map stores of every model; `test` is empty where the competition has no test images,
    and where their maps are summed instead (`stages.parts.summed_maps`).
    """

    oof: dict[str, MapStore]
    test: dict[str, MapStore]


@once
def run(context: StageContext) -> Inferred:
    """Predict what is missing or stale of the chosen models and folds."""
    predicting = Predicting.of(context, train.run(context))
    if not context.folds():
        context.reporter.say(
            "infer: a member of all images predicts test images alone, with those of all folds; "
            "leave out FOLD=all"
        )
    with context.alone_on_cluster("predict"):
        stores = _filled(predicting)
    return Inferred(
        {model: MapStore.open(store.folder) for model, store in stores["oof"].items()},
        {model: MapStore.open(store.folder) for model, store in stores["test"].items()},
    )


def _filled(predicting: Predicting) -> dict[MapPart, dict[str, MapStore]]:
    """The stores, as they were before their missing maps were predicted."""
    context, started = predicting.context, time.monotonic()
    planned = planned_stores(predicting)
    every = [store for stores in planned.values() for store in stores.values()]
    size = sum(store.certain_bytes for store in every)
    for each in every:
        if each.damage:
            context.reporter.warn(f"infer: {each.damage}")
    check_room("infer", size, [each.folder for each in every], context.workspace.run, SMALLER)
    with context.exclusive("stores"):  # or two processes could each clear what the other lays out
        stores = {
            part: {model: store.ready() for model, store in stores.items()}
            for part, stores in planned.items()
        }
    jobs = {**_out_of_fold(predicting, stores["oof"]), **_test(predicting, stores["test"])}
    if jobs:
        maps = sum(len(job.samples) * len(job.outputs) for job in jobs.values())
        ordered = predicting.longest_first(jobs)
        waiting = [
            Job(name, predict_range, (job,), writes=job.sink.folders)
            for name, job in ordered.items()
        ]
        context.run_jobs("infer", waiting, width=len(context.machine.devices))
        context.done("infer", f"{maps} maps", context.workspace.run, started)
    else:
        context.up_to_date("infer", context.workspace.run)
    return stores


def planned_stores(predicting: Predicting) -> dict[MapPart, dict[str, PlannedStore]]:
    """The stores to fill: no test stores if FOLD= is given, or if the maps are summed; with
    FOLD=all none.
    """
    context = predicting.context
    parts: dict[MapPart, bool] = {
        "oof": bool(context.folds()),
        "test": bool(predicting.ids("test"))
        and context.fold is None
        and not context.experiment.ensemble.accumulate,
    }
    return {
        part: {model: predicting.store(model, part) for model in context.models() if made}
        for part, made in parts.items()
    }


def _out_of_fold(predicting: Predicting, stores: dict[str, MapStore]) -> dict[str, InferJob]:
    """Each image by the members that did not see it."""
    table, chosen = predicting.table, predicting.context.folds()
    jobs: dict[str, InferJob] = {}
    for fold in chosen:
        mine = set(table.loc[table["fold"] == fold, "id"])
        jobs |= _jobs(predicting, f"oof{fold}", "oof", stores, mine, [fold], len(chosen))
    return jobs


def _test(predicting: Predicting, stores: dict[str, MapStore]) -> dict[str, InferJob]:
    used = predicting.context.predicting_folds()
    return _jobs(predicting, "test", "test", stores, set(predicting.ids("test")), used, 1)


def _jobs(
    predicting: Predicting,
    what: str,
    part: MapPart,
    stores: dict[str, MapStore],
    wanted: set[str],
    used: list[int],
    share: int,
) -> dict[str, InferJob]:
    pending = {
        model: [each for each in store.pending() if each in wanted]
        for model, store in stores.items()
    }
    return predicting.jobs(
        what,
        part,
        pending,
        lambda models, ids: StoreSink(tuple(stores[model].part(ids) for model in models)),
        used,
        share,
        lambda models, each: tuple(stores[model].shard_of(each) for model in models),
    )
