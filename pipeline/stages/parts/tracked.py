"""The trackers of an invocation, and the settings that they show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

from pipeline.config import ModelConfig
from pipeline.stage_names import ORDER
from pipeline.stages.context import StageContext
from pipeline.tracking import TRACKERS
from pipeline.tracking.follower import Orders
from pipeline.tracking.following import following, usable

FOLLOWED = ("all", *ORDER[ORDER.index("train") :])
"""The commands during which a history or a scorecard can change."""


@contextmanager
def tracked(context: StageContext) -> Iterator[None]:
    """Have the trackers of `track:` beside the stages that run in the block."""
    experiment = context.experiment
    if not experiment.track or context.asked not in FOLLOWED:
        yield
        return
    wanted = {name: TRACKERS[name] for name in experiment.track}
    orders = Orders(
        experiment=experiment.name,
        root=str(context.workspace.root),
        adapters=usable(wanted, context.reporter.warn),
        metric=experiment.metric_name,
        settings={name: _settings(model) for name, model in experiment.models.items()},
        members=[
            member
            for model in experiment.models
            for member in context.members(model, context.predicting_folds())
        ],
    )
    with following(orders, context.reporter.warn):
        yield


def _settings(model: ModelConfig) -> dict[str, str]:
    from pipeline.training.optimizers import peak_rate  # with torch, which takes seconds

    parts = [part for _, part in model.train.parts()]
    return {
        "encoder": model.encoder or "",
        "decoder": model.decoder or str(model.network),
        "length": model.train.duration,
        "batch": _listed(str(part.batch) for part in parts),
        "size": _listed("×".join(map(str, part.size)) for part in parts),
        "optimizer": _listed(part.optimizer for part in parts),
        "lr": _listed(f"{peak_rate(part):g}" for part in parts),
    }


def _listed(values: Iterable[str]) -> str:
    """One value, or those of all stages where they differ."""
    return ", ".join(each for each, _ in groupby(values))
