"""Trackers, which show trainings in a browser: one file each, and here one line each.

None of them runs in a process that trains. One follower process a `make` reads what the stages
write anyway (`history.csv`, `scorecard.csv`) and feeds the trackers that `track:` names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerKind:
    """A tracker that can be named in `track:`; its name is that of its pip extra, too.

    package: what must be importable; adapter: `module:class`, imported by the follower alone.
    """

    package: str
    adapter: str


TRACKERS = {
    "tensorboard": TrackerKind("tensorboardX", "pipeline.tracking.tensorboard:TensorBoard"),
    "wandb": TrackerKind("wandb", "pipeline.tracking.wandb:WeightsAndBiases"),
    "mlflow": TrackerKind("mlflow", "pipeline.tracking.mlflow:MLflow"),
}
