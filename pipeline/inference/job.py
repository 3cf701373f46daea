"""Predicts one range of maps into a store: decode, compute and write at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipeline.competition.catalog import Sample
from pipeline.competition.reading import SampleReader
from pipeline.config import ModelConfig
from pipeline.errors import ArtefactError
from pipeline.executor import JobContext
from pipeline.inference.predictor import Predictor
from pipeline.maps import MapStore
from pipeline.models.factory import build_model
from pipeline.training.checkpoint import load_weights
from pipeline.workspace import verified

AHEAD = 2  # batches decoded before they are needed
WRITE_BYTES = 64 * 2**20  # maps are flushed to disk together up to this size
WRITE_MAPS = 64


@dataclass(frozen=True)
class InferJob:
    """One model's members over a range of samples."""

    name: str
    model: ModelConfig
    classes: int
    exclusive: bool
    members: tuple[tuple[str, str, str], ...]
    """Name, path and checksum of each member's weights; their maps are averaged."""
    reader: SampleReader
    samples: tuple[Sample, ...]
    store: MapStore


def predict_range(job: InferJob, context: JobContext) -> None:
    """Fill the store with the maps of `job.samples`; stops after a signal with all flushed."""
    networks = [_load(job, *member) for member in job.members]
    predictor = Predictor(
        networks,
        job.model.infer,
        resize=job.model.train.resize,
        exclusive=job.exclusive,
        device=context.device,
    )
    ids = [sample.id for sample in job.samples]
    with job.store.claim(ids), ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        for batch in _write_batches(_predicted(job, predictor, context)):
            if written is not None:
                written.result()
            written = writer.submit(job.store.write, batch)
        if written is not None:
            written.result()
    context.stop.check()


def _load(job: InferJob, name: str, path: str, checksum: str) -> nn.Module:
    remedy = f"delete its folder and run `make train` to train {name} again"
    random_weights = job.model.network.model_copy(update={"weights": None})
    network = build_model(random_weights, classes=job.classes, in_channels=job.reader.channels)
    load_weights(verified(Path(path), checksum, remedy), network)
    return network


def _predicted(
    job: InferJob, predictor: Predictor, context: JobContext
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    done = 0
    for samples, images in _decoded(job.samples, job.reader, job.model.infer.batch):
        for sample, probabilities in zip(samples, predictor.predict(images), strict=True):
            yield sample.id, probabilities
        done += len(samples)
        context.progress.update(done, len(job.samples))
        if context.stop:
            return


def _decoded(
    samples: Sequence[Sample], reader: SampleReader, batch: int
) -> Iterator[tuple[Sequence[Sample], list[NDArray[np.uint8]]]]:
    """Batches of decoded images, a few ahead of their use."""
    batches = [samples[start : start + batch] for start in range(0, len(samples), batch)]
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: list[Future[list[NDArray[np.uint8]]]] = []
        for position in range(len(batches) + AHEAD):
            if position < len(batches):
                waiting.append(pool.submit(_read_all, reader, batches[position]))
            if position >= AHEAD:
                yield batches[position - AHEAD], waiting.pop(0).result()


def _read_all(reader: SampleReader, samples: Sequence[Sample]) -> list[NDArray[np.uint8]]:
    return [reader.image(sample) for sample in samples]


def _write_batches(
    maps: Iterator[tuple[str, NDArray[np.float32]]],
) -> Iterator[dict[str, NDArray[np.float32]]]:
    batch: dict[str, NDArray[np.float32]] = {}
    size = 0
    for sample_id, probabilities in maps:
        batch[sample_id] = probabilities
        size += probabilities.nbytes
        if size >= WRITE_BYTES or len(batch) >= WRITE_MAPS:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
