"""Predicts one range of samples with several models: decode, compute and write at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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
from pipeline.maps import MapStore
from pipeline.models.factory import build_model
from pipeline.training.checkpoint import load_weights
from pipeline.workspace import verified

AHEAD = 2  # batches decoded before they are needed
WRITE_BYTES = 64 * 2**20  # maps are flushed to disk together up to this size
WRITE_MAPS = 64

Batch = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Weights:
    """One member's weights on disk."""

    member: str
    path: Path
    checksum: str


@dataclass(frozen=True)
class Output:
    """A model whose members (averaged) fill a store."""

    model: ModelConfig
    members: tuple[Weights, ...]
    store: MapStore


@dataclass(frozen=True)
class InferJob:
    """Several models over one range of samples, each of which is decoded once."""

    outputs: tuple[Output, ...]
    classes: int
    exclusive: bool
    reader: SampleReader
    samples: tuple[Sample, ...]


def predict_range(job: InferJob, context: JobContext) -> None:
    """Fill the stores with the maps of `job.samples`; stops after a signal with all flushed."""
    predictors = [make_predictor(job, output, context.device) for output in job.outputs]
    ids = [sample.id for sample in job.samples]
    with ExitStack() as claims, ThreadPoolExecutor(1) as writer:
        for output in job.outputs:
            claims.enter_context(output.store.claim(ids))
        written: Future[None] | None = None
        for batches in _write_batches(_predicted(job, predictors, context), len(predictors)):
            if written is not None:
                written.result()
            written = writer.submit(_write, job.outputs, batches)
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


def _write(outputs: Sequence[Output], batches: Sequence[Batch]) -> None:
    for output, batch in zip(outputs, batches, strict=True):
        output.store.write(batch)


def _predicted(
    job: InferJob, predictors: Sequence[Predictor], context: JobContext
) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Every sample's id and its map by each model."""
    done = 0
    size = max(output.model.infer.batch for output in job.outputs)
    for samples, images in _decoded(job.samples, job.reader, size):
        maps = zip(*(predictor.predict(images) for predictor in predictors), strict=True)
        for sample, by_model in zip(samples, maps, strict=True):
            yield sample.id, [job.reader.own_maps(each) for each in by_model]
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
    maps: Iterator[tuple[str, list[NDArray[np.float32]]]], models: int
) -> Iterator[list[Batch]]:
    """One batch a model, of the same samples."""
    batches: list[Batch] = [{} for _ in range(models)]
    size = 0
    for sample_id, by_model in maps:
        for batch, probabilities in zip(batches, by_model, strict=True):
            batch[sample_id] = probabilities
            size += probabilities.nbytes
        if size >= WRITE_BYTES or len(batches[0]) >= WRITE_MAPS:
            yield batches
            batches, size = [{} for _ in range(models)], 0
    if batches[0]:
        yield batches
