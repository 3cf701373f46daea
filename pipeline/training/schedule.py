"""The learning rate and the optimizer, as pure functions of the settings."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import Optimizer

from pipeline.config import TrainConfig

FLOOR = 0.01  # where the cosine ends, as a share of the peak


def learning_rate(step: int, total: int, settings: TrainConfig) -> float:
    """For step 0 … total − 1: linear warm-up, then a cosine (Loshchilov & Hutter 2017)."""
    warmup = round(settings.warmup * total)
    if step < warmup:
        return settings.peak_rate * (step + 1) / warmup
    share = (step - warmup) / max(1, total - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return settings.peak_rate * (FLOOR + (1 - FLOOR) * cosine)


def make_optimizer(network: nn.Module, settings: TrainConfig) -> Optimizer:
    """AdamW or SGD; biases and normalisation parameters are not decayed."""
    trainable = [each for each in network.parameters() if each.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.peak_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.peak_rate)
