"""The score of a network on the fold that it does not see."""

from __future__ import annotations

import numpy as np
from torch import nn

from pipeline.errors import TrainingError
from pipeline.execution.executor import JobContext
from pipeline.inference.predictor import Predictor
from pipeline.metrics import metric_of
from pipeline.training.member import TrainJob

PLAIN_THRESHOLD = 0.5


def validation_score(job: TrainJob, network: nn.Module, context: JobContext) -> float:
    """The experiment's metric on the held-out fold, without TTA, at 0.5 (or the likeliest class).

    Raises TrainingError when the network puts out a value that is not a probability, and
    InterruptedRunError after a signal.
    """
    metric = metric_of(job.metric)
    # its layout in memory stays, too: another one would give other bits in the steps to come;
    # nor is it compiled, which would be done anew in every epoch
    plain = job.model.infer.model_copy(
        update={"tta": ("identity",), "channels_last": False, "compile": False}
    )
    predictor = Predictor(
        [network],
        plain,
        resize=job.model.input.resize,
        multiclass=job.multiclass,
        scale=job.reader.source.scale,
        device=context.device,
    )
    statistics = []
    for done, sample in enumerate(job.held_out):
        context.stop.check()
        context.progress.update(done, len(job.held_out), "validation")
        image = job.reader.image(sample)
        (probabilities,) = predictor.predict([image])
        if not np.isfinite(probabilities).all():
            raise TrainingError(
                f"{job.name} predicts NaN for {sample.id}, so it has diverged; lower "
                "train.lr. It is not counted as trained."
            )
        decision = _decided(job.reader.own_maps(probabilities), job.multiclass)
        truth = job.reader.truth(sample, job.reader.own_size(image))
        statistics.append(metric.measure(decision, truth))
    return float(metric.aggregate(np.stack(statistics)))


def _decided(probabilities: np.ndarray, multiclass: bool) -> np.ndarray:
    if not multiclass:
        return np.asarray(probabilities > PLAIN_THRESHOLD)
    winner = probabilities.argmax(axis=0)
    return np.asarray(winner == np.arange(len(probabilities))[:, None, None])
