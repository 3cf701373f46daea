"""The parts of a network that learn apart: its encoder, and the blocks, layers and normalisations
of that."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

ENCODER = "encoder"
"""The attribute of a segmentation model that holds the encoder."""

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
FEWEST_BLOCKS = 2
_PARAMETERS_OF_ONE_LAYER = 2  # weight and bias


def is_of_encoder(name: str) -> bool:
    """Whether a parameter of that name is the encoder's."""
    return name.startswith(f"{ENCODER}.")


def encoder_of(network: nn.Module) -> nn.Module:
    return network.get_submodule(ENCODER)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The innermost modules, themselves made of several, that stand in a row with others."""
    for child in module.children():
        inner = list(blocks(child))
        if inner:
            yield from inner
        elif isinstance(module, CONTAINERS) and _is_block(child):
            yield child


def layer_numbers(encoder: nn.Module) -> dict[str, int]:
    """The layer of each parameter by name, from 0 on in the order in which layers are registered.

    A layer is a block; in encoders without rows of blocks, such as VGG, each module that has
    parameters of its own. What stands before, between or behind blocks counts to the one before,
    and the stem before them all is a layer.
    """
    rows = list(blocks(encoder))
    if len(rows) < FEWEST_BLOCKS:
        rows = [each for each in encoder.modules() if list(each.parameters(recurse=False))][1:]
    starts = {id(parameter): number for number, row in enumerate(rows, 1)
              for parameter in row.parameters()}  # fmt: skip
    numbers, current = {}, 0
    for name, parameter in encoder.named_parameters():
        current = starts.get(id(parameter), current)
        numbers[name] = current
    return numbers


def _is_block(module: nn.Module) -> bool:
    return (
        not isinstance(module, CONTAINERS)
        and len(list(module.parameters())) > _PARAMETERS_OF_ONE_LAYER
    )


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
