"""The optimizers by name; one is added by one function and one line of `OPTIMIZERS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from timm.optim.lion import Lion
from timm.optim.nadamw import NAdamW
from torch import nn
from torch.optim import Optimizer

from pipeline.config import TrainConfig
from pipeline.training.parts import ENCODER, encoder_of, layer_numbers

Groups = list[dict[str, Any]]


def adamw(groups: Groups, rate: float) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(groups, lr=rate)


def sgd(groups: Groups, rate: float) -> Optimizer:
    """Stochastic gradient descent with Nesterov momentum 0.9."""
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)


def nadamw(groups: Groups, rate: float) -> Optimizer:
    """AdamW with Nesterov's momentum (Dozat 2016)."""
    return NAdamW(groups, lr=rate)


def lion(groups: Groups, rate: float) -> Optimizer:
    """Lion (Chen et al. 2023): steps of one size by the sign of the momentum."""
    return Lion(groups, lr=rate)


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
    "adamw": OptimizerKind(adamw, rate=1e-3, state=2),
    "lion": OptimizerKind(lion, rate=1e-4, state=1),
    "nadamw": OptimizerKind(nadamw, rate=1e-3, state=2),
    "sgd": OptimizerKind(sgd, rate=1e-2, state=1),
}


def peak_rate(settings: TrainConfig) -> float:
    """The learning rate after warm-up."""
    return OPTIMIZERS[settings.optimizer].rate if settings.lr is None else settings.lr


def make_optimizer(network: nn.Module, settings: TrainConfig) -> Optimizer:
    """The optimizer of the settings; biases and normalisation parameters are not decayed.

    Parameters of one rate form a group, whose `factor` multiplies the rate of the schedule.
    """
    factors = _factors(network, settings)
    groups = []
    for factor in dict.fromkeys([1.0, *factors.values()]):
        own = [
            each for name, each in network.named_parameters() if factors.get(name, 1.0) == factor
        ]
        groups += [
            {
                "params": [
                    each for each in own if each.requires_grad and (each.ndim > 1) == decays
                ],
                "weight_decay": settings.weight_decay if decays else 0.0,
                "factor": factor,
            }
            for decays in (True, False)
        ]
    return OPTIMIZERS[settings.optimizer].make(groups, peak_rate(settings))


def _factors(network: nn.Module, settings: TrainConfig) -> dict[str, float]:
    """The factor of the rate for each parameter of the encoder, where it is not 1 for all.

    Layer-wise decay (Howard & Ruder 2018; Bao et al. 2022): the last layer has `layer_decay` times
    the encoder's rate, and each layer before it that of its successor times `layer_decay`.
    """
    if settings.encoder_lr == settings.layer_decay == 1:
        return {}
    numbers = layer_numbers(encoder_of(network))
    behind = max(numbers.values(), default=0) + 1
    return {
        f"{ENCODER}.{name}": settings.encoder_lr * settings.layer_decay ** (behind - number)
        for name, number in numbers.items()
    }
