"""Trains one member: a model on all folds but one, in one stage or in several.

Between two stages there is nothing but the state on the disk: the next one takes weights and
averages from it, whether it follows at once or after a stop. A stage's seed is its own, so no
crop and no order of images comes again.
"""

from __future__ import annotations

import gc
import math
from pathlib import Path

from torch import nn

from pipeline.errors import TrainingError
from pipeline.execution.jobs import JobContext
from pipeline.manifests import write_manifest
from pipeline.models.checkpoint import save_weights
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.out_of_memory import naming_the_batch
from pipeline.training.resume_state import load_state
from pipeline.training.setup import computing_with
from pipeline.workspace import WeightsKind

DIVERGED = 10
"""Times the loss of a stage's first epoch: more in its last one is no training."""


def train_member(job: TrainJob, context: JobContext) -> None:
    """Train `job` to the end and declare it finished.

    Raises TrainingError on a loss that is not finite, ResourceError when memory is too short,
    InterruptedRunError after a signal, with everything saved.
    """
    parts = job.parts
    with computing_with(job.model.train.threads):
        for part in parts[_reached(job) :]:
            _train_stage(part, context)
            gc.collect()  # a run and its loader hold each other, and a GPU has no room for two


def _reached(job: TrainJob) -> int:
    """The stage that the saved state is of; its last step need not be made."""
    if not job.stages:
        return 0
    state = load_state(job.paths.state, job.fingerprint)
    return 0 if state is None else int(state["progress"].get("stage", 0))


def _train_stage(part: TrainJob, context: JobContext) -> None:
    with naming_the_batch(part, context.device):
        run = TrainingRun(part, context)
        try:
            for epoch in range(run.epoch, run.length.epochs):
                run.train_epoch(epoch)
                run.save()  # before validation, which takes time, too
                context.stop.check()
                run.finish_epoch(epoch)
            _refuse_diverged(run)
            if part.place.is_last:
                finish(run)
        finally:
            run.loader.close()


def _refuse_diverged(run: TrainingRun) -> None:
    """TrainingError where the loss has exploded, though it is finite yet."""
    rows = run.progress.history[run.place.epochs :]
    first, last = (rows[place]["loss"] for place in (0, -1))
    if last > DIVERGED * first > 0:
        when = f" of {run.place.name}" if run.place.name else ""
        raise TrainingError(
            f"{run.job.name} has diverged: its loss was {first:.3g} in the first epoch{when} and "
            f"is {last:.3g} in the last one; lower {run.place.key}.lr. It is not counted as "
            "trained."
        )


def finish(run: TrainingRun) -> None:
    """Write the last weights and the manifest that says the member is trained."""
    learner, paths = run.learner, run.job.paths
    networks: dict[WeightsKind, nn.Module] = {"plain": learner.plain}
    if learner.average:
        networks["ema"] = learner.average.network
    if learner.mean:
        networks["mean"] = learner.mean.network
    files = [_save_weights(run, network, kind) for kind, network in networks.items()]
    write_manifest(
        paths.manifest,
        run.job.fingerprint,
        [*files, paths.history],
        made_from=dict(run.job.made_from),
        settings=run.job.settings,
        history=paths.history.read_text(),
        weights=list(networks)[-1],
        score=_last_score(run),
    )
    paths.state.unlink(missing_ok=True)


def _last_score(run: TrainingRun) -> float | None:
    score = run.progress.history[-1]["score"]
    return None if math.isnan(score) else score


def _save_weights(run: TrainingRun, network: nn.Module, kind: WeightsKind) -> Path:
    path = run.job.paths.weights(kind)
    steps = run.place.steps + run.progress.step
    save_weights(path, network, member=run.job.name, step=steps, weights=kind)
    return path
