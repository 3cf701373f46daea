"""The parts of a range of samples that are predicted one after the other, and written together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import InferConfig
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.data.volumes import split_slice
from pipeline.execution.executor import JobContext
from pipeline.inference.other_axes import AxisMeans, axis_means, further_axes
from pipeline.inference.predictor import Predictor
from pipeline.inference.sinks import ModelMaps

WRITE_BYTES = 32 * 2**20
"""Maps wait in memory up to this size, and are flushed to disk together."""
WRITE_S = 10
"""And no longer than this: what a kill takes away."""

MapBatch = dict[str, ModelMaps]


@dataclass(frozen=True)
class Part:
    """Samples of a range that are predicted one after the other."""

    samples: Sequence[Sample]
    before: int
    """Samples of the range that were predicted before."""
    total: int
    means: AxisMeans


def parts_of(
    outputs: Sequence[tuple[Predictor, InferConfig]],
    reader: SampleReader,
    samples: Sequence[Sample],
    folder: Path,
    context: JobContext,
) -> Iterator[Part]:
    """All samples at once; volume by volume where a model predicts along several axes.

    folder: for temporary files of the other axes' maps.
    """
    if not any(further_axes(infer, reader.data) for _, infer in outputs):
        yield Part(samples, 0, len(samples), AxisMeans())
        return
    volumes: dict[Path, list[Sample]] = {}
    for sample in samples:
        volumes.setdefault(split_slice(sample.image)[0], []).append(sample)
    done = 0
    for volume, slices in volumes.items():

        def said(text: str, done: int = done) -> None:
            context.stop.check()
            context.progress.update(done, len(samples), text)

        means = axis_means(outputs, reader, volume, folder, context.cores, said)
        yield Part(slices, done, len(samples), means)
        done += len(slices)


def write_batches(maps: Iterator[tuple[str, ModelMaps]]) -> Iterator[MapBatch]:
    """Batches of maps that are flushed to disk together."""
    batch: MapBatch = {}
    size, began_at = 0, time.monotonic()
    for sample_id, by_model in maps:
        batch[sample_id] = by_model
        size += sum(each.nbytes for each in by_model)
        if size >= WRITE_BYTES or time.monotonic() - began_at >= WRITE_S:
            yield batch
            batch, size, began_at = {}, 0, time.monotonic()
    if batch:
        yield batch
