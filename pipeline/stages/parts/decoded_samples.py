"""Which models keep decoded samples on the disk, and how much room they take there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.config.auxiliary import map_outputs
from pipeline.data.decoded import DiskCache, damaged, sweep_decoded, unwritten
from pipeline.data.decoded_file import decoded_bytes
from pipeline.data.resize import working_size
from pipeline.data.samples import SampleReader
from pipeline.disk_space import allocated_bytes, check_room, free_bytes
from pipeline.size import Size
from pipeline.stages import align, check
from pipeline.stages.context import StageContext
from pipeline.training.member import TrainJob

SHARE_OF_DISK = 0.5  # of what is free, which `cache: auto` may take


def kept_on_disk(context: StageContext) -> set[str]:
    """The chosen models whose decoded samples are kept on the disk."""
    wishes = {name: context.experiment.models[name].train.cache for name in context.models()}
    forced = {name for name, wish in wishes.items() if wish == "disk"}
    either = {name for name, wish in wishes.items() if wish == "auto"}
    there = allocated_bytes([context.workspace.decoded])
    free = free_bytes(context.workspace.run)
    fits = room(context, {*forced, *either}) - there <= SHARE_OF_DISK * free
    return {*forced, *(either if fits else ())}


def room(context: StageContext, names: set[str]) -> int:
    """Bytes of the decoded training samples of those models; those of one size are kept once."""
    survey, reader = check.run(context), align.run(context)
    data, source = reader.data, reader.source
    kinds = {
        (model.input.resize, reader_of_objects(reader, model).objects)
        for model in (context.experiment.models[name] for name in names)
    }
    itemsize = reader.channels.total * source.dtype.itemsize
    sizes = [(each.height, each.width) for each in survey.of("train")]
    return sum(
        decoded_bytes(
            working_size(_framed(size, data.frame.pad), resize),
            itemsize,
            len(data.classes) * (2 if objects else 1),
            void=data.has_void,
        )
        for resize, objects in kinds
        for size in sizes
    )


def reader_of_objects(reader: SampleReader, model: ModelConfig) -> SampleReader:
    """The reader of what a model learns from: of objects too, where it asks for maps of them."""
    wanted = bool(map_outputs(model.auxiliary)) and reader.data.has_objects
    return replace(reader, objects=True) if wanted else reader


def placed(context: StageContext, jobs: Iterable[TrainJob]) -> list[TrainJob]:
    """The jobs, told where their decoded samples are kept."""
    kept = kept_on_disk(context)
    folder = context.workspace.decoded
    return [
        replace(job, decoded=folder if job.name.partition("/")[0] in kept else None) for job in jobs
    ]


def prepare(context: StageContext, *, on_disk: bool) -> None:
    """Remove what is of other files or settings; ResourceError where the rest does not fit.

    on_disk: whether something is to be kept there at all.
    """
    folder, reader = context.workspace.decoded, align.run(context)
    caches = {
        (model.input.resize, own.objects): DiskCache(folder, own, model.input)
        for model in context.experiment.models.values()
        for own in [reader_of_objects(reader, model)]
    }.values()
    samples = check.run(context).catalog.train
    sweep_decoded(folder, (cache.path(sample) for cache in caches for sample in samples))
    if on_disk:
        needed = room(context, kept_on_disk(context))
        check_room("train", needed, [folder], folder, ", or set train.cache=off")
        _warn_unless_writable(context, folder)


def _warn_unless_writable(context: StageContext, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        context.reporter.warn(
            f"{folder} cannot be written ({error.strerror}), so every epoch decodes its samples "
            "again, which is slow; remove what is there, or set train.cache: memory"
        )


def warn_of_faults(context: StageContext) -> None:
    """Say how many files were damaged, and decoded again, and why some could not be written."""
    folder = context.workspace.decoded
    found, reason = damaged(folder), unwritten(folder)
    if found:
        context.reporter.warn(
            f"{len(found)} decoded sample(s) were damaged on the disk and decoded again: {found[0]}"
        )
    if reason is not None:
        context.reporter.warn(
            f"decoded samples could not all be written to {folder} ({reason}), so they were "
            "decoded again and again, which is slow; make room there, or set train.cache: memory"
        )


def _framed(size: Size, pad: int) -> Size:
    return size[0] + 2 * pad, size[1] + 2 * pad
