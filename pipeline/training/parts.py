"""The parts of a network that learn apart: its encoder, and the normalisations of that."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

ENCODER = "encoder"
"""The attribute of a segmentation model that holds the encoder."""


def is_of_encoder(name: str) -> bool:
    """Whether a parameter of that name is the encoder's."""
    return name.startswith(f"{ENCODER}.")


def encoder_of(network: nn.Module) -> nn.Module:
    return network.get_submodule(ENCODER)


def normalisations(module: nn.Module) -> Iterator[nn.Module]:
    """Of every kind, in `module` and below it."""
    for each in module.modules():
        alone = next(each.children(), None) is None  # of timm's own kinds; not `ConvNormAct`
        known = isinstance(each, _NormBase | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm)
        if known or (alone and "Norm" in type(each).__name__):
            yield each


def batch_norms(module: nn.Module) -> Iterator[tuple[str, _NormBase]]:
    """The normalisations that keep running statistics, with their names."""
    for name, each in module.named_modules():
        if isinstance(each, _NormBase) and each.track_running_stats:
            yield name, each
