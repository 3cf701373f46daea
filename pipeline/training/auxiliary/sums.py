"""The auxiliary losses of a training: added to each step's loss, and summed up for its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pipeline.config.auxiliary import AuxiliaryOutput, DeepSupervision
from pipeline.models.auxiliary.losses import (
    MaskLoss,
    deep_supervision,
    known_in,
    target_loss,
)
from pipeline.models.losses.truth import Truth
from pipeline.training.accumulation import valid_shares
from pipeline.training.auxiliary import PREFIX
from pipeline.training.dataset import Batch

Shares = dict[str, float]


class AuxiliaryLosses:
    """Of the outputs of one model. Sums stay on the device, so that no step waits for them."""

    def __init__(self, outputs: Sequence[AuxiliaryOutput], device: torch.device) -> None:
        self._outputs = outputs
        self._sums = torch.zeros(len(outputs), dtype=torch.float64, device=device)

    def shares(self, batches: Sequence[Batch]) -> list[Shares]:
        """By label, how much of what is known in a step is in each of its batches.

        Weighted by it, means add up to that of one large batch.
        """
        by_output = {
            output.label: self._shares(output, batches) if len(batches) > 1 else [1.0]
            for output in self._outputs
        }
        return [
            {label: shares[number] for label, shares in by_output.items()}
            for number in range(len(batches))
        ]

    def _shares(self, output: AuxiliaryOutput, batches: Sequence[Batch]) -> list[float]:
        if isinstance(output, DeepSupervision):
            return valid_shares(batches)
        counts = [known_in(output, batch.targets[output.label]) for batch in batches]
        return [count / max(1, sum(counts)) for count in counts]

    def add(
        self,
        given: dict[str, Any],
        targets: dict[str, Tensor],
        truth: Truth,
        mask_loss: MaskLoss,
        shares: Shares,
    ) -> Tensor:
        """The weighted sum of a batch's losses.

        given: what the heads put out; targets: on the same device; shares: of this batch.
        """
        losses = []
        for output in self._outputs:
            label = output.label
            if isinstance(output, DeepSupervision):
                loss = deep_supervision(given[label], truth, mask_loss)
            else:
                loss = target_loss(output)(given[label], targets[label])
            losses.append(loss * shares[label])
        each = torch.stack(losses)
        self._sums += each.detach()
        weights = torch.tensor([output.weight for output in self._outputs], device=each.device)
        return (each * weights).sum()

    def means(self, steps: int) -> dict[str, float]:
        """The mean loss of each output over the steps of an epoch, by column; begins anew."""
        sums = self._sums.tolist()
        self._sums.zero_()
        return {
            f"{PREFIX}{output.label}": total / steps
            for output, total in zip(self._outputs, sums, strict=True)
        }

    def state(self) -> Tensor:
        return self._sums.clone()

    def restore(self, state: Tensor) -> None:
        self._sums.copy_(state)
