"""Writes the submission of a finished run where only the test images are known, and only now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.bundle.data_root import find_data_root
from pipeline.bundle.deadline import Deadline
from pipeline.bundle.found import (
    Found,
    plan_of_what_is_there,
    sizes_at_least,
    write,
    write_without_images,
)
from pipeline.bundle.passes import Passes, rebased
from pipeline.data.catalog import list_test_samples
from pipeline.data.samples import SampleReader
from pipeline.errors import ResourceError
from pipeline.execution.executor import Machine
from pipeline.maps import MapStore
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.finished_run import FinishedRun, read_finished_run, refuse_references
from pipeline.prediction.image_list import readable_sizes
from pipeline.reporting import Reporter, duration
from pipeline.submission.registry import submission_suffix
from pipeline.workspace import Workspace

SPARE = 0.05
"""The share of the time that writing may take."""


@dataclass(frozen=True)
class OfflineRequest:
    """run: folder of a finished run; inputs: the data is below it; scratch: for maps, kept between
    attempts; hours: until a submission must be complete, None: any.
    """

    run: Path
    inputs: Path
    out: Path
    scratch: Path
    hours: float | None = None
    devices: tuple[str, ...] = ()


def submit_offline(request: OfflineRequest, reporter: Reporter) -> Path:
    """The submission `submission.csv` in `request.out`, which is valid from the first minute on.

    First it is the sample file with empty masks, then all test images with empty masks; after each
    model it is written again with all that are done, the most worthy first. Images that cannot be
    read, and rows without an image, stay empty. The bytes are those of `make submit` where the time
    is enough for all members. Raises DataError where the competition's data is not found,
    ResourceError where there is no time for a single member.
    """
    started = time.monotonic()
    deadline = Deadline((request.hours or 1e6) * 3600 * (1 - SPARE))
    run = read_finished_run(request.run)
    refuse_references(run.experiment)
    root = find_data_root(request.inputs, run.experiment.data, run.experiment.submission.sample)
    reporter.say(f"data: {root}")
    run = rebased(run, root)
    path = request.out / f"submission{submission_suffix(run.experiment)}"
    if not path.exists():  # from an attempt before
        write_without_images(path, run)
    samples = {each.id: each for each in list_test_samples(run.experiment.data)}
    if not samples:
        reporter.warn(f"there are no test images in {root}; every mask is empty")
        write_without_images(path, run)
        return path
    planned = plan_of_what_is_there(run.experiment, list(samples), reporter)
    reader = SampleReader(run.experiment.data)
    likely = sizes_at_least(samples, reader)
    write(path, planned, Found.so_far(run, likely, samples, {}), reporter)
    sizes = readable_sizes(list(samples.values()), reader, reporter)
    passes = Passes(
        run,
        {each: samples[each] for each in sizes},
        sizes,
        Machine.detect(devices=request.devices),
        Workspace("offline", request.scratch),
        reporter,
    )
    stores: dict[str, MapStore] = {}
    for model in by_worth(run) if sizes else ():
        store = passes.predict(model, deadline)
        if store is not None:
            stores[model] = store
            write(path, planned, Found.so_far(run, sizes, samples, stores), reporter)
    if sizes and not stores:
        raise ResourceError(
            f"the time ({request.hours} h) or the disk is not enough for one member; every mask in "
            f"{path} is empty. Give more HOURS, or train a smaller model"
        )
    took = duration(time.monotonic() - started)
    reporter.say(f"submission: {', '.join(stores) or 'nothing'} → {path} in {took}")
    return path


def by_worth(run: FinishedRun) -> list[str]:
    """The models with a weight, the one without which the blend would lose most first."""

    def worth(model: str) -> tuple[float, float]:
        without = run.facts["models"][model].get("without") or {}
        value = (without.get("worth") or {}).get("value", 0.0)
        return value, run.recipe.weights[model]

    return sorted(MemoryBlend.of(run).models, key=worth, reverse=True)
