"""Predicts one range of samples with several models: decode, compute and write at the same time."""

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
from pipeline.executor import JobContext
from pipeline.inference.predictor import Predictor
from pipeline.inference.sinks import Maps, Sink
from pipeline.models.factory import build_model
from pipeline.training.checkpoint import load_weights
from pipeline.workspace import verified

VERSION = "maps/2"
"""Bumped when the same weights and images give other maps than before."""
AHEAD = 2  # batches decoded before they are needed
WRITE_BYTES = 16 * 2**20  # maps (float32) are flushed to disk together up to this size
WRITE_MAPS = 64

Batch = dict[str, Maps]


@dataclass(frozen=True)
class Weights:
    """One member's weights on disk."""

    member: str
    path: Path
    checksum: str

    @property
    def size(self) -> int:
        """Bytes of the file; 0 where it is gone."""
        return self.path.stat().st_size if self.path.is_file() else 0


@dataclass(frozen=True)
class Output:
    """A model, and the members that are averaged to its maps."""

    model: ModelConfig
    members: tuple[Weights, ...]


@dataclass(frozen=True)
class InferJob:
    """Several models over one range of samples, each of which is decoded once."""

    outputs: tuple[Output, ...]
    sink: Sink
    classes: int
    exclusive: bool
    reader: SampleReader
    samples: tuple[Sample, ...]


def predict_range(job: InferJob, context: JobContext) -> None:
    """Make what the sink lacks of `job.samples`; stops after a signal with all flushed."""
    predictors = [make_predictor(job, output, context.device) for output in job.outputs]
    with job.sink.claim([sample.id for sample in job.samples]), ThreadPoolExecutor(1) as writer:
        pending = job.sink.pending()  # less than all where a worker died half way
        samples = [sample for sample in job.samples if sample.id in pending]
        written: Future[None] | None = None
        for batch in _write_batches(_predicted(job, samples, predictors, context)):
            if written is not None:
                written.result()
            written = writer.submit(job.sink.write, batch)
        if written is not None:
            written.result()
    context.stop.check()


def make_predictor(job: InferJob, output: Output, device: str) -> Predictor:
    """The predictor of one model, its members' weights verified and loaded."""
    return Predictor(
        [_load(job, output.model, weights) for weights in output.members],
        output.model.infer,
        resize=output.model.train.resize,
        exclusive=job.exclusive,
        device=device,
    )


def _load(job: InferJob, model: ModelConfig, weights: Weights) -> nn.Module:
    remedy = f"delete its folder and run `make train` to train {weights.member} again"
    path = verified(weights.path, weights.checksum, remedy)
    unweighted = model.network.model_copy(update={"weights": None})
    network = build_model(unweighted, classes=job.classes, in_channels=job.reader.channels)
    load_weights(path, network)
    return network


def _predicted(
    job: InferJob, samples: Sequence[Sample], predictors: Sequence[Predictor], context: JobContext
) -> Iterator[tuple[str, Maps]]:
    """Every sample's id and its map by each model."""
    done = 0
    size = max(predictor.images for predictor in predictors)
    for batch, images in _decoded(samples, job.reader, size):
        maps = zip(*(predictor.predict(images) for predictor in predictors), strict=True)
        for sample, by_model in zip(batch, maps, strict=True):
            yield sample.id, [job.reader.own_maps(each) for each in by_model]
        done += len(batch)
        context.progress.update(done, len(samples))
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


def _write_batches(maps: Iterator[tuple[str, Maps]]) -> Iterator[Batch]:
    """What is flushed to disk together."""
    batch: Batch = {}
    size = 0
    for sample_id, by_model in maps:
        batch[sample_id] = by_model
        size += sum(probabilities.nbytes for probabilities in by_model)
        if size >= WRITE_BYTES or len(batch) >= WRITE_MAPS:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
