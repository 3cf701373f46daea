"""The optimizers by name; one is added by one function and one line of `OPTIMIZERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from pipeline.config import TrainConfig

Groups = list[dict[str, Any]]


def adamw(groups: Groups, rate: float) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(groups, lr=rate)


def sgd(groups: Groups, rate: float) -> Optimizer:
    """Stochastic gradient descent with Nesterov momentum 0.9."""
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)


@dataclass(frozen=True)
class OptimizerKind:
    """The function that creates an optimizer, and its requirements.

    rate: the peak of the learning rate for `train.lr: null`, since a rate that suits one optimizer
    hardly moves another; state: the tensors of a parameter's size that it keeps for each.
    """

    make: Callable[[Groups, float], Optimizer]
    rate: float
    state: int


OPTIMIZERS: Mapping[str, OptimizerKind] = {
    "adamw": OptimizerKind(adamw, rate=3e-4, state=2),
    "sgd": OptimizerKind(sgd, rate=1e-2, state=1),
}


def peak_rate(settings: TrainConfig) -> float:
    """The learning rate after warm-up."""
    return OPTIMIZERS[settings.optimizer].rate if settings.lr is None else settings.lr


def make_optimizer(network: nn.Module, settings: TrainConfig) -> Optimizer:
    """The optimizer of the settings; biases and normalisation parameters are not decayed."""
    trainable = [each for each in network.parameters() if each.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[settings.optimizer].make(groups, peak_rate(settings))
