"""The score of a network on the fold that it does not see."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipeline.data.catalog import Sample
from pipeline.data.decoded import DiskCache
from pipeline.data.ground_truth import Truth
from pipeline.errors import TrainingError
from pipeline.execution.executor import JobContext
from pipeline.inference.predictor import ImageMaps, Predictor
from pipeline.inference.read_ahead import one_ahead, read_ahead
from pipeline.metrics import metric_of, scores_objects
from pipeline.metrics.metric import ImageStatistics, Metric
from pipeline.training.held_out import Example, HeldOutReader
from pipeline.training.member import TrainJob

PLAIN_THRESHOLD = 0.5


def validation_score(job: TrainJob, network: nn.Module, context: JobContext) -> float:
    """The experiment's metric on the held-out fold, without TTA, at 0.5 (or the likeliest class).

    Samples are read, predicted and measured at the same time. Raises TrainingError when the
    network puts out a value that is not a probability, and InterruptedRunError after a signal.
    """
    metric = metric_of(job.metric)
    statistics: list[ImageStatistics] = []
    with ThreadPoolExecutor(context.cores) as pool:
        measured: deque[Future[ImageStatistics]] = deque()
        for sample, truth, maps in _predicted(job, network, metric, context):
            measured.append(pool.submit(_measured, job, metric, sample, truth, maps))
            while len(measured) > context.cores:  # or maps would pile up behind a slow metric
                statistics.append(measured.popleft().result())
        statistics += [each.result() for each in measured]
    return float(metric.aggregate(np.stack(statistics)))


def _predicted(
    job: TrainJob, network: nn.Module, metric: Metric, context: JobContext
) -> Iterator[tuple[Sample, Truth, NDArray[np.float32]]]:
    """Every held-out sample with its maps."""
    done = 0
    for batch, examples, finish in one_ahead(_begun(job, network, metric, context)):
        context.stop.check()
        context.progress.update(done, len(job.held_out), "validation")
        for sample, example, maps in zip(batch, examples, finish(), strict=True):
            yield sample, example.truth, job.reader.own_maps(maps)
        done += len(batch)


def _begun(
    job: TrainJob, network: nn.Module, metric: Metric, context: JobContext
) -> Iterator[tuple[Sequence[Sample], list[Example], Callable[[], ImageMaps]]]:
    """Batches that the device has begun with."""
    shown = job.model.input
    cache = None if job.decoded is None else DiskCache(job.decoded, job.reader, shown)
    reader = HeldOutReader(job.reader, shown, cache, objects=scores_objects(metric.name))
    predictor = _predictor(job, network, context.device)
    for batch, examples in read_ahead(job.held_out, reader.read, predictor.images, context.cores):
        yield batch, examples, predictor.start([example.image for example in examples])


def _predictor(job: TrainJob, network: nn.Module, device: str) -> Predictor:
    # its layout in memory stays, too: another one would give other bits in the steps to come;
    # nor is it compiled, which would be done anew in every epoch
    plain = job.model.infer.model_copy(
        update={"tta": ("identity",), "channels_last": False, "compile": False}
    )
    return Predictor(
        [network],
        plain,
        resize=job.model.input.resize,
        multiclass=job.multiclass,
        scale=job.reader.source.scale,
        device=device,
    )


def _measured(
    job: TrainJob, metric: Metric, sample: Sample, truth: Truth, maps: NDArray[np.float32]
) -> ImageStatistics:
    if not np.isfinite(maps).all():
        raise TrainingError(
            f"{job.name} predicts NaN for {sample.id}, so it has diverged; lower train.lr. It is "
            "not counted as trained."
        )
    return metric.measure(_decided(maps, job.multiclass), truth)


def _decided(probabilities: NDArray[np.float32], multiclass: bool) -> NDArray[np.bool_]:
    if not multiclass:
        return np.asarray(probabilities > PLAIN_THRESHOLD)
    winner = probabilities.argmax(axis=0)
    return np.asarray(winner == np.arange(len(probabilities))[:, None, None])
