"""Weights & Biases: one run a member, grouped by experiment. `WANDB_MODE=offline` stays local."""

from __future__ import annotations

import os
from collections.abc import Mapping

import wandb

from pipeline.tracking.tracker import TrackedRun


class WeightsAndBiases:
    """One run; the project is WANDB_PROJECT, or maskmill."""

    def start(self, run: TrackedRun) -> None:
        project = os.environ.get("WANDB_PROJECT") or "maskmill"
        self._run = wandb.init(
            project=project, group=run.experiment, name=run.name, id=run.id, resume="allow",
            dir=str(run.folder), config=dict(run.settings), reinit="create_new",
        )  # fmt: skip

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()
