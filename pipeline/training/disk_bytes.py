"""The bytes that training a member takes on the disk, known before its first step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from pipeline.config import TrainConfig
from pipeline.training.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Footprint:
    """kept: the weights that stay; working: temporary files during training."""

    kept: int
    working: int
    files: int
    """How many stay, the lock and the tables included."""


def footprint(network: nn.Module, settings: TrainConfig) -> Footprint:
    """Of one member that is trained by these settings; its device does not matter."""
    weights = sum(each.numel() * each.element_size() for each in network.state_dict().values())
    trained = sum(
        each.numel() * each.element_size() for each in network.parameters() if each.requires_grad
    )
    networks = 1 + bool(settings.ema) + bool(settings.average.last)
    most = max(OPTIMIZERS[part.optimizer].state for _, part in settings.parts())
    state = networks * weights + most * trained
    # a new state is written beside the old one
    return Footprint(networks * weights, 2 * state, networks + 3)
