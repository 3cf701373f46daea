"""`augmentation.png`: what networks are about to see, drawn before the first member trains."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import write_atomic
from pipeline.config import AugmentConfig
from pipeline.data.decoded import cache_of
from pipeline.data.ground_truth import CERTAIN
from pipeline.data.image_sources.source import Pixels
from pipeline.errors import ConfigError
from pipeline.manifests import fingerprint
from pipeline.prediction.class_colours import class_colours
from pipeline.reports.contact_sheet import Cell, Strip, contact_sheet
from pipeline.stages import check
from pipeline.stages.context import StageContext
from pipeline.training.dataset import Batch, TrainingSet
from pipeline.training.device_colour import change_colours
from pipeline.training.member import TrainJob
from pipeline.training.mixing import planes_are_soft
from pipeline.training.sampling import Key
from pipeline.training.step_rehearsal import faulty_steps

VIEWS, ROWS, STRIPS = 5, 12, 4
MOST_PIXELS = 2**24
"""Of all crops of a strip: larger ones come in fewer rows."""


def draw(context: StageContext, jobs: Sequence[TrainJob]) -> None:
    """Draw a strip for each kind of augmentation among the jobs, and say which preset each has.

    ConfigError for steps that do not suit the images.
    """
    kinds: dict[str, list[TrainJob]] = {}
    for job in itertools.chain.from_iterable(each.parts for each in jobs):
        train = job.model.train
        kind = fingerprint(train.augment, train.size, job.model.input.resize)
        kinds.setdefault(kind, []).append(job)
    _refuse_faulty([same[0] for same in kinds.values()])
    path = context.workspace.augmentation
    shown = list(kinds.values())[:STRIPS]
    strips = [_strip(context, same, ROWS // len(shown)) for same in shown]
    colours = class_colours(context.experiment.data.classes)
    write_atomic(path, contact_sheet(strips, colours))
    for strip in strips:
        context.reporter.say(f"train: {strip.title}; see {path}")


def _refuse_faulty(jobs: Sequence[TrainJob]) -> None:
    faults = [fault for job in jobs for fault in _faults(job)]
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))


def _faults(job: TrainJob) -> Iterator[str]:
    train = job.model.train
    return faulty_steps(train.augment, train.size, job.reader.source, job.place.key)


def _strip(context: StageContext, same: Sequence[TrainJob], rows: int) -> Strip:
    job = same[0]
    settings, reader = job.model.train, job.reader
    cache = cache_of(settings.cache, job.decoded, reader, job.model.input, 1)
    data = TrainingSet(job.train, reader, settings, job.model.input, cache, test=job.test)
    chosen = _chosen(context, job, rows)
    cells = [
        [_whole(data, job, index), *(_view(data, job, row, view, index) for view in range(VIEWS))]
        for row, index in enumerate(chosen)
    ]
    names = ", ".join(dict.fromkeys(map(_named, same)))
    return Strip(f"augmentation of {names}: {summary(settings.augment)}", cells)


def _named(job: TrainJob) -> str:
    """The model, and the stage where it has several."""
    stage = f" ({job.place.name})" if job.place.name else ""
    return job.name.partition("/")[0] + stage


def summary(augment: AugmentConfig) -> str:
    """The preset, and what else is drawn, on one line."""
    given = augment.model_dump(mode="json", exclude_defaults=True, exclude={"preset", "steps"})
    parts = [f"{key} {_short(value)}" for key, value in given.items()]
    names = [next(iter(each)) for each in augment.steps]
    parts += [f"steps {', '.join(names)}"] if names else []
    return f"preset {augment.preset}" + (f" ({'; '.join(parts)})" if parts else "")


def _short(value: object) -> str:
    return str(value).replace("'", "")


def _chosen(context: StageContext, job: TrainJob, rows: int) -> list[int]:
    """Places in `job.train` of the samples to show: evenly through it, most of them not empty."""
    covered = {each.id for each in check.run(context).of("train") if any(each.shares)}
    filled = [place for place, each in enumerate(job.train) if each.id in covered]
    empty = [place for place, each in enumerate(job.train) if each.id not in covered]
    height, width = job.model.train.size
    count = max(2, min(rows, MOST_PIXELS // (VIEWS * height * width)))
    few = _evenly(empty, max(count // 4, count - len(filled)))
    return sorted([*_evenly(filled, count - len(few)), *few])


def _evenly(places: list[int], count: int) -> list[int]:
    count = min(count, len(places))
    return [places[number * len(places) // count] for number in range(count)]


def _whole(data: TrainingSet, job: TrainJob, index: int) -> Cell:
    """The sample itself."""
    decoded = data.decoded(job.train[index])
    valid = np.ones(decoded.planes.shape[1:], bool) if decoded.valid is None else decoded.valid
    half = CERTAIN // 2 if job.reader.data.soft else 0
    return Cell(_pictures(job, decoded.image), decoded.planes > half, valid)


def _view(data: TrainingSet, job: TrainJob, row: int, view: int, index: int) -> Cell:
    batch = data[Key(0, row * VIEWS + view, index)]
    soft = planes_are_soft(job.reader.data, job.model.train.augment)
    pixels = _coloured(batch, job).transpose(1, 2, 0)
    planes = batch.planes.numpy() > (CERTAIN // 2 if soft else 0)
    return Cell(_pictures(job, pixels), planes, batch.valid.numpy()[0] > 0)


def _coloured(batch: Batch, job: TrainJob) -> NDArray[np.generic]:
    if job.model.train.augment.colour_on != "device":
        return batch.images.numpy()
    return change_colours(batch.images[None], batch.colour[None])[0].numpy()


def _pictures(job: TrainJob, pixels: Pixels) -> tuple[NDArray[np.uint8], ...]:
    """The image and, where there is one, its reference, as people see them."""
    source = job.reader.source
    return tuple(
        source.shown(np.ascontiguousarray(pixels[..., first : first + source.channels]))
        for first in range(0, pixels.shape[2], source.channels)
    )
