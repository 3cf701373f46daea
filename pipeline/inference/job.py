"""Predicts one range of samples with several models: decode, compute and write at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import rename_damaged
from pipeline.channels import Channels
from pipeline.config import ModelConfig
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.errors import ArtefactError
from pipeline.execution.executor import JobContext
from pipeline.inference.folding import fold
from pipeline.inference.job_images import JobImages
from pipeline.inference.other_axes import AxisMeans, further_axes
from pipeline.inference.predictor import Predictor
from pipeline.inference.range_parts import Part, parts_of, write_batches
from pipeline.inference.read_ahead import one_ahead, read_ahead
from pipeline.inference.sinks import ModelMaps, Sink
from pipeline.interruption import StopFlag
from pipeline.manifests import verified
from pipeline.models.checkpoint import load_weights
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.segmentation import SegmentationModel

VERSION = "maps/3"
"""Bumped when the same weights and images give different maps than before."""
Started = tuple[Sequence[Sample], list[Callable[[], list[NDArray[Any]]]]]


@dataclass(frozen=True)
class MemberWeights:
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
    members: tuple[MemberWeights, ...]


@dataclass(frozen=True)
class InferJob:
    """Several models over one range of samples, each of which is decoded once."""

    outputs: tuple[Output, ...]
    sink: Sink
    classes: int
    multiclass: bool
    reader: SampleReader
    samples: tuple[Sample, ...]
    decoded: Path | None = None
    """Where training samples may lie decoded; None: nowhere."""
    auxiliary: tuple[str, ...] = ()
    """The auxiliary outputs whose planes follow those of the classes in each map."""

    @cached_property
    def images(self) -> JobImages:
        """How the images of `samples` are read."""
        return JobImages(self.reader, self.decoded, [each.model.input for each in self.outputs])


def predict_range(job: InferJob, context: JobContext) -> None:
    """Predict the maps that the sink lacks; stops after a signal with everything flushed."""
    predictors = [make_predictor(job, output, context.device) for output in job.outputs]
    with job.sink.claim([sample.id for sample in job.samples]), ThreadPoolExecutor(1) as writer:
        pending = job.sink.pending()  # less than all where a worker died half way
        samples = [sample for sample in job.samples if sample.id in pending]
        models = [output.model.infer for output in job.outputs]
        outputs = list(zip(predictors, models, strict=True))
        for part in parts_of(outputs, job.reader, samples, job.sink.folder, context):
            _predict_part(job, part, predictors, context, writer)
    context.stop.check()


def _predict_part(
    job: InferJob,
    part: Part,
    predictors: Sequence[Predictor],
    context: JobContext,
    writer: ThreadPoolExecutor,
) -> None:
    large: list[Sample] = []
    written: Future[None] | None = None
    for batch in write_batches(_predicted(job, part, predictors, context, large)):
        if written is not None:
            written.result()
        written = writer.submit(job.sink.write, batch)
    if written is not None:
        written.result()
    for done, sample in enumerate(large, part.before + len(part.samples) - len(large)):
        context.stop.check()
        said = partial(context.progress.update, done, part.total)
        _predict_large(job, sample, predictors, part.means, context.stop, said)


def make_predictor(job: InferJob, output: Output, device: str) -> Predictor:
    """The predictor of one model, its members' weights verified and loaded."""
    channels = job.reader.channels_for(output.model.input)
    networks = [
        fold(
            load_network(
                output.model, _verified_file(weights), job.classes, channels, job.auxiliary
            ),
            channels,
        )
        for weights in output.members
    ]
    stored = output.model.infer.dtype
    return Predictor(
        networks,
        output.model.infer,
        resize=output.model.input.resize,
        multiclass=job.multiclass,
        scale=job.reader.source.scale,
        device=device,
        stored=None if further_axes(output.model.infer, job.reader.data) else stored,
    )


def load_network(
    model: ModelConfig,
    path: Path,
    classes: int,
    channels: Channels,
    auxiliary: Sequence[str] = (),
) -> SegmentationModel:
    """A member's network with its weights from `path`, on the CPU.

    auxiliary: the outputs that it puts out beside its masks, in that order; it has no others.
    """
    kept = tuple(output for output in model.auxiliary if output.label in auxiliary)
    unweighted = model.architecture.model_copy(update={"weights": None, "auxiliary": kept})
    network = build_model(unweighted, classes=classes, channels=channels)
    add_outputs(network, unweighted, classes)
    if network.outputs is not None:
        network.outputs.shown = tuple(auxiliary)
    load_weights(path, network)
    return network


def _verified_file(weights: MemberWeights) -> Path:
    """Their file if it is unchanged. A damaged file is renamed, so that the next make trains the
    member again and the damaged bytes can be inspected.
    """
    remedy = f"run the same command again: it trains {weights.member} again"
    try:
        return verified(weights.path, weights.checksum, remedy)
    except ArtefactError:
        rename_damaged(weights.path)
        raise


def _predict_large(
    job: InferJob,
    sample: Sample,
    predictors: Sequence[Predictor],
    means: AxisMeans,
    stop: StopFlag,
    progress: Callable[[str], None],
) -> None:
    """Predict a sample that is too large for some model to see it whole, straight into the sink.

    Nothing else is in memory meanwhile. After a signal its map is left to the next run.
    """
    image = job.images.rows(sample)

    def bands(number: int) -> Iterator[NDArray[Any]]:
        top = 0
        own = job.reader.own_bands(predictors[number].any_bands(image), image.shape[0])
        for band in means.bands(number, sample.image, own):
            stop.check()
            progress(f"{sample.id}: row {top} of {image.shape[0]}")
            yield band
            top += band.shape[1]

    job.sink.write_bands(sample.id, bands)


def _predicted(
    job: InferJob,
    part: Part,
    predictors: Sequence[Predictor],
    context: JobContext,
    large: list[Sample],
) -> Iterator[tuple[str, ModelMaps]]:
    """Every sample's id and its map by each model; samples to be predicted in tiles are not
    decoded, and go to `large`.
    """
    done = part.before
    started = _started(job, part.samples, predictors, context.cores, large)
    for batch, by_model in one_ahead(started):
        for sample, maps in zip(
            batch, zip(*(each() for each in by_model), strict=True), strict=True
        ):
            own = map(job.reader.own_maps, maps)
            yield sample.id, [part.means.of(n, sample.image, each) for n, each in enumerate(own)]
        done += len(batch)
        context.progress.update(done, part.total)
        if context.stop:
            return


def _started(
    job: InferJob,
    samples: Sequence[Sample],
    predictors: Sequence[Predictor],
    cores: int,
    large: list[Sample],
) -> Iterator[Started]:
    """Batches that the device has begun with."""
    size = max(predictor.images for predictor in predictors)

    def small(sample: Sample) -> NDArray[np.uint8] | None:
        if any(each.may_tile for each in predictors):
            seen = job.reader.seen_size(sample)
            if any(each.tiles(seen) for each in predictors):
                return None
        return job.images.whole(sample)

    for batch, decoded in read_ahead(samples, small, size, cores):
        pairs = list(zip(batch, decoded, strict=True))
        large += [sample for sample, image in pairs if image is None]
        kept = [(sample, image) for sample, image in pairs if image is not None]
        if kept:
            images = [image for _, image in kept]
            started = [predictor.start(images) for predictor in predictors]
            yield [sample for sample, _ in kept], started
