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
from pipeline.training.parts import is_of_encoder

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

    Where the encoder's rate differs it has groups of its own, whose `factor` multiplies the rate.
    """
    parts: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parts[settings.encoder_lr != 1 and is_of_encoder(name)].append(parameter)
    groups = [
        {
            "params": [each for each in parameters if (each.ndim > 1) == decays],
            "weight_decay": settings.weight_decay if decays else 0.0,
            "factor": settings.encoder_lr if of_encoder else 1.0,
        }
        for of_encoder, parameters in parts.items()
        for decays in (True, False)
        if parameters or not of_encoder
    ]
    return OPTIMIZERS[settings.optimizer].make(groups, peak_rate(settings))
