"""Stochastic depth in the blocks of an encoder that have room for it.

Huang et al. 2016, "Deep Networks with Stochastic Depth": a residual branch is left out for a sample
at random, the deeper the more often. It has no parameters, so a network that predicts needs none.
"""

from __future__ import annotations

from collections.abc import Iterator

from timm.layers.drop import DropPath
from torch import nn

from pipeline.errors import ConfigError
from pipeline.training.parts import encoder_of

_PLACES = ("drop_path", "drop_path1", "drop_path2")  # timm's names, None or nothing where unused


def drop_paths(model: str, network: nn.Module, rate: float, key: str = "train") -> None:
    """Leave out the branches of the n encoder blocks with probabilities `rate` / n … `rate`.

    Raises ConfigError where no block of the encoder has such a branch. key: where the settings are
    written.
    """
    found = list(_with_branches(encoder_of(network)))
    if not found:
        raise ConfigError(
            f"models.{model}: {key}.drop_path: {rate:g} needs an encoder with residual branches "
            "that timm can drop, such as ResNet, EfficientNet, ConvNeXt or Swin; this one has "
            "none; leave it out"
        )
    for number, block in enumerate(found):
        for place in _places(block):
            dropping = DropPath(rate * (number + 1) / len(found))
            setattr(block, place, dropping.train(block.training))


def _with_branches(encoder: nn.Module) -> Iterator[nn.Module]:
    return (module for module in encoder.modules() if _places(module))


def _places(block: nn.Module) -> list[str]:
    """The attributes of a block that hold what drops its branches, or are kept free for it."""
    return [
        place
        for place in _PLACES
        if isinstance(getattr(block, place, False), nn.Identity | DropPath | None)
    ]
