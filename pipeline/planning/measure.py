"""A short measurement of one model on one device: some training steps, some maps made and stored.

The network has random weights (a trained member's, where there is one), since time does not
depend on them; what packed maps take on the disk does, and soft maps pack worst.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipeline.config import InferConfig
from pipeline.config.optimisation import FreezeConfig
from pipeline.data.catalog import Sample
from pipeline.data.image_sources.source import Pixels
from pipeline.data.samples import SampleReader
from pipeline.disk_space import allocated_bytes
from pipeline.ensemble.blending.kernel import decide_runs
from pipeline.execution.executor import JobContext
from pipeline.inference.job import MemberWeights
from pipeline.inference.predictor import Predictor
from pipeline.maps import MapShape, MapStore
from pipeline.models.checkpoint import load_weights
from pipeline.training.disk_bytes import Footprint, footprint
from pipeline.training.loop import TrainingRun
from pipeline.training.member import Place, TrainJob
from pipeline.workspace import MemberPaths

TIMED_STEPS = 2
Result = TypeVar("Result")
Pictures = dict[str, Pixels]


@dataclass(frozen=True)
class MeasureJob:
    """member: any one of the model; samples: whose maps are made; weights: of it, if trained;
    keep: decoded training samples, as the training will.
    """

    member: TrainJob
    samples: tuple[Sample, ...]
    weights: MemberWeights | None
    keep: bool
    scratch: Path
    """A folder on the disk that the maps will be on."""


@dataclass(frozen=True)
class Measured:
    """Seconds on one device, by what they grow with; bytes on the disk."""

    steps_s: tuple[float, ...]
    """An optimizer step of a whole batch, in each stage of the training."""
    plain_s: float
    """A pixel predicted by one member without TTA, as in validation."""
    predict_s: float
    """A pixel predicted by one member with its TTA."""
    decode_s: float
    """A pixel of an image file read."""
    write_s: float
    """A pixel of all classes' maps quantised, written and flushed."""
    read_s: float
    """A pixel of all classes' maps read and decided (from the page cache)."""
    stored: float
    """Bytes that a pixel of all classes' maps takes on the disk."""
    footprint: Footprint


def measure(job: MeasureJob, context: JobContext) -> Measured:
    """Measure one model; leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix=".plan", dir=job.scratch) as folder:
        steps_s = []
        for part in job.member.parts:
            run = _start(job, part, Path(folder), context)
            steps_s.append(_seconds(lambda run=run: _steps(run)) / TIMED_STEPS)  # type: ignore[misc]
            run.loader.close()
        network = run.learner.plain
        if job.weights is not None:
            load_weights(job.weights.path, network)
        reader = job.member.reader
        infer = job.member.model.infer
        # of images in tiles two rows of them: no more is ever in memory
        most = None if infer.tile is None else 2 * infer.tile.size[0]
        decode_s, rows = _timed(lambda: {s.id: _read(reader, s, most) for s in job.samples})
        images = {each: image[:most] for each, image in rows.items()}
        pixels = sum(image.shape[0] * image.shape[1] for image in images.values())
        decoded = sum(image.shape[0] * image.shape[1] for image in rows.values())
        plain = infer.model_copy(update={"tta": ("identity",)})
        plain_s, _ = _predict(job, network, plain, images, context)
        predict_s, maps = _predict(job, network, infer, images, context)
        store = _store(job, Path(folder) / "maps", maps)
        store.write(maps)  # compiles what quantises
        write_s = _seconds(lambda: store.write(maps))
        _decide(store)
        read_s = _seconds(lambda: _decide(store))
        stored = allocated_bytes([store.folder]) if infer.codec != "raw" else _raw_bytes(store)
        return Measured(
            steps_s=tuple(steps_s),
            plain_s=plain_s / pixels,
            predict_s=predict_s / pixels,
            decode_s=decode_s / decoded,
            write_s=write_s / pixels,
            read_s=read_s / pixels,
            stored=stored / pixels,
            footprint=footprint(network, job.member.model.train),
        )


def _read(reader: SampleReader, sample: Sample, most: int | None) -> Pixels:
    """The first rows of an image that is decoded by rows, or all of it."""
    rows = reader.rows(sample)
    return rows if isinstance(rows, np.ndarray) else rows[:most]


def _start(job: MeasureJob, part: TrainJob, folder: Path, context: JobContext) -> TrainingRun:
    """A stage of a few steps, with one epoch of them behind it, so that all is warm."""
    model = part.model
    short = model.model_copy(
        update={
            "weights": None,
            "train": model.train.model_copy(
                # a frozen encoder computes less than it will most of the time
                update={"steps": TIMED_STEPS, "length": None, "freeze": FreezeConfig()}
            ),
        }
    )
    decoded = folder / "decoded" if job.keep else None
    member = replace(
        part,
        model=short,
        paths=MemberPaths(folder / part.place.key),
        decoded=decoded,
        place=Place(),
    )
    run = TrainingRun(member, context)
    run.train_epoch(0)
    return run


def _steps(run: TrainingRun) -> None:
    run.progress.step = 0
    run.train_epoch(0)


def _predict(
    job: MeasureJob,
    network: nn.Module,
    settings: InferConfig,
    images: Pictures,
    context: JobContext,
) -> tuple[float, dict[str, NDArray[np.float32]]]:
    predictor = Predictor(
        [network],
        settings,
        resize=job.member.model.input.resize,
        multiclass=job.member.multiclass,
        scale=job.member.reader.source.scale,
        device=context.device,
    )
    several = list(images.values())
    predictor.predict(several if context.device != "cpu" else several[:1])
    seconds, maps = _timed(lambda: predictor.predict(several))
    return seconds, dict(zip(images, maps, strict=True))


def _store(job: MeasureJob, folder: Path, maps: dict[str, NDArray[np.float32]]) -> MapStore:
    infer = job.member.model.infer
    shapes = [MapShape(each, *values.shape[1:]) for each, values in maps.items()]
    return MapStore.create(
        folder, shapes, job.member.classes, fingerprint="", dtype=infer.dtype, codec=infer.codec
    )


def _decide(store: MapStore) -> None:
    for each in store.ids:
        one: Sequence[NDArray[Any]] = [np.asarray(store.read_raw(each))]
        if one[0].dtype != np.float16:  # which the kernel takes by a table; reading is what costs
            decide_runs(one, [1.0], [0.5] * len(store.classes), "row", threads=1)


def _raw_bytes(store: MapStore) -> int:
    return sum(int(store.read_raw(each).nbytes) for each in store.ids)


def _timed(call: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def _seconds(call: Callable[[], object]) -> float:
    return _timed(call)[0]
