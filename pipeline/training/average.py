"""The mean of the weights after each of the last epochs (Izmailov et al. 2018: SWA)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

MOST_BATCHES = 100
"""Of which running statistics are measured: as many as tell mean and variance to a few percent."""


class WeightMean:
    """The plain mean of networks that are added one by one, `wanted` of them in all."""

    def __init__(self, network: nn.Module, wanted: int) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._wanted, self._count = wanted, 0

    @property
    def is_complete(self) -> bool:
        return self._count == self._wanted

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        self._count += 1
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 / self._count)
            else:
                mine.copy_(theirs[name])

    def state(self) -> dict[str, Any]:
        return {"count": self._count, "network": self.network.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self._count = state["count"]
        self.network.load_state_dict(state["network"])


@contextmanager
def measuring(network: nn.Module, norms: list[_NormBase]) -> Iterator[None]:
    """Within the block, `norms` take the mean over all batches as their running statistics.

    Those of mean weights are no mean of statistics. All else of the network stays as it predicts.
    """
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        with torch.no_grad():
            yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.eval()
