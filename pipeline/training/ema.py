"""An exponential moving average of a network's weights and running statistics."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """Keeps its own copy of a network; `decay` grows towards its value over the first steps."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network`, which has now made `step` (1, 2, …) updates."""
        keep = min(self._decay, (1 + step) / (10 + step))
        theirs = network.state_dict()
        floating: tuple[list[Tensor], list[Tensor]] = ([], [])
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                floating[0].append(mine)
                floating[1].append(theirs[name])
            else:
                mine.copy_(theirs[name])
        torch._foreach_lerp_(*floating, 1 - keep)
