"""predict: predicts masks of any images with the chosen blend; submissions are not changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.atomic_files import sweep, write_atomic
from pipeline.config import DataConfig
from pipeline.data.catalog import Sample, patterns_of
from pipeline.data.image_sources.image_files import has_several_files
from pipeline.data.image_sources.registry import image_source
from pipeline.data.name_patterns import folders_of
from pipeline.data.samples import SampleReader
from pipeline.disk_space import check_room, disk_errors_reported
from pipeline.errors import DataError
from pipeline.execution.executor import Job
from pipeline.inference.map_ranges import whole_ranges
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.finished_run import (
    FinishedRun,
    read_finished_run,
    refuse_references,
    verify_weights,
)
from pipeline.prediction.image_list import list_images, sizes_of, slices_by_volume
from pipeline.prediction.image_predictor import job_of
from pipeline.prediction.mask_files import AREAS, PredictedMaskFiles
from pipeline.prediction.mask_sink import ClassArea, predict_masks
from pipeline.prediction.mask_stacks import stack_masks, stack_paths
from pipeline.stages.context import StageContext


@dataclass(frozen=True)
class PredictRequest:
    """The options of the user."""

    images: tuple[str, ...]
    """Files, folders and patterns."""
    out: Path
    probabilities: bool = False
    overlay: bool = False


@disk_errors_reported()
def run(context: StageContext, folder: Path, request: PredictRequest) -> pd.DataFrame:
    """Write the masks of all images, and `areas.csv`, which is returned.

    folder: of the finished run. Raises DataError before anything is predicted where an image
    cannot be read or a mask would take the place of something else.
    """
    started = time.monotonic()
    finished = read_finished_run(folder)
    refuse_references(finished.experiment)
    data = finished.experiment.data
    samples = list_images(request.images, data)
    files = PredictedMaskFiles.of(
        request.out, data, probabilities=request.probabilities, overlay=request.overlay
    )
    _check_targets(context, folder, data, files, samples)
    sizes = sizes_of(samples, SampleReader(data), context.reporter)
    if request.probabilities:
        pixels = sum(height * width for height, width in sizes.values())
        needed = 4 * pixels * len(files.classes)
        check_room("predict", needed, [request.out], request.out, ", or leave out --probabilities")
    blend = MemoryBlend.of(finished)
    verify_weights(finished, blend.models)
    areas = _predict(context, finished, blend, files, samples)
    for volume, slices in slices_by_volume(samples, data).items():
        stack_masks(files, volume, slices)
    by_file = not has_several_files(data) and data.volume is None
    table = _table(areas, {each.id: each.image.name if by_file else each.id for each in samples})
    write_atomic(request.out / AREAS, table.to_csv(index=False))
    context.done("predict", f"masks of {len(samples)} image(s)", request.out, started)
    return table


def _predict(
    context: StageContext,
    finished: FinishedRun,
    blend: MemoryBlend,
    files: PredictedMaskFiles,
    samples: Sequence[Sample],
) -> list[ClassArea]:
    """The areas of all classes of all images, whose masks are written."""
    devices = len(context.machine.devices)
    jobs = [
        Job(f"predict {number}", predict_masks, (job_of(finished, blend, files, some),))
        for number, some in enumerate(_shares(samples, finished.experiment.data, devices))
    ]
    for path in {path.parent for sample in samples for path in files.paths(sample.id)}:
        sweep(path)
    values = context.run_jobs("predict", jobs, width=devices)
    found: list[ClassArea] = []
    for job in jobs:
        areas = values[job.name]
        assert isinstance(areas, list)
        found += areas
    return found


def _shares(
    samples: Sequence[Sample], data: DataConfig, devices: int
) -> Iterator[Sequence[Sample]]:
    """Nearly even parts, a device each, that cut no volume."""
    by_id = {sample.id: sample for sample in samples}
    groups = list(slices_by_volume(samples, data).values()) or [[each] for each in by_id]
    for ids in whole_ranges(groups, list(map(len, groups)), devices):
        yield [by_id[each] for each in ids]


def _check_targets(
    context: StageContext,
    run_folder: Path,
    data: DataConfig,
    files: PredictedMaskFiles,
    samples: Sequence[Sample],
) -> None:
    """DataError where masks cannot be written, or would replace files that they must not."""
    out = files.folder
    first = next(each for each in [out, *out.absolute().parents] if each.exists())
    if not first.is_dir():
        raise DataError(f"{first} is a file, so no masks can be written to {out}")
    submissions = context.workspace.submissions.parent.resolve()
    if out.resolve().is_relative_to(submissions):
        raise DataError(f"{out} is a folder of submissions; write the masks to another one")
    if out.resolve().is_relative_to(run_folder.resolve()):
        raise DataError(f"{out} is in the folder of the run itself; write the masks to another one")
    for key, pattern in patterns_of(data).items():
        if out.resolve() in {each.resolve() for each in folders_of(data.root, pattern)}:
            raise DataError(f"{out} is a folder of {key}; write the masks to another one")
    source = image_source(data)
    images = {path.resolve() for each in samples for path in source.files(each.image)}
    written = {path: sample.id for sample in samples for path in files.paths(sample.id)}
    for volume in slices_by_volume(samples, data):
        written |= dict.fromkeys(stack_paths(files, volume), volume)
    for path, name in written.items():
        if path.resolve() in images:
            raise DataError(
                f"the mask of {name} would replace the image {path}; write the masks to another "
                "folder"
            )


def _table(areas: Sequence[ClassArea], names: Mapping[str, str]) -> pd.DataFrame:
    """`image,class,share,objects`, in the order of the images. names: by id."""
    place = {each: number for number, each in enumerate(names)}
    ordered = sorted(areas, key=lambda area: place[area.image])
    rows = [(names[each.image], each.class_, each.share, each.objects) for each in ordered]
    return pd.DataFrame(rows, columns=["image", "class", "share", "objects"])
