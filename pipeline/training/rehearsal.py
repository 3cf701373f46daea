"""Checks that a network can be trained on batches of a shape, without computing anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.config import TrainConfig
from pipeline.errors import ConfigError
from pipeline.models.decoders.layers import PooledNorm


def check_batch(
    model: str, network: nn.Module, channels: int, settings: TrainConfig, key: str = "train"
) -> None:
    """ConfigError where batch normalisation would get one value a channel, which has no variance.

    Only a batch of one can be so small: where features are pooled to 1×1, or shrink to it.
    network: is moved to torch's meta device, where it is of no more use; key: where the settings
    are written.
    """
    if settings.batch > 1:
        return
    alone: list[str] = []

    def look(name: str, inputs: tuple[Any, ...]) -> None:
        if inputs[0].numel() == inputs[0].shape[1]:
            alone.append(name)
            raise _FoundError

    network.to("meta").train()
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, PooledNorm):
            module.register_forward_pre_hook(lambda _, inputs, name=name: look(name, inputs))
    try:
        with torch.no_grad():
            network(torch.empty(1, channels, *settings.size, device="meta"))
    except _FoundError:
        size = list(settings.size)
        raise ConfigError(
            f"models.{model}: {key}.batch: 1 cannot be trained at {key}.size: {size}, as its batch "
            f"normalisation {alone[0]} would see a single value; set {key}.batch: 2"
        ) from None


class _FoundError(Exception):
    """Ends a rehearsal at the first layer that fails."""
