"""Creates the backbone of a name: a timm network, or a factory of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import timm
from torch import nn

from pipeline.errors import ConfigError
from pipeline.suggestions import check_name

# What lets networks of a fixed input size see any size; tried in order until a dry run agrees.
_SIZE_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"dynamic_img_size": True},
    {"strict_img_size": False},
)


def backbone_makers(name: str) -> Iterator[Callable[[], nn.Module]]:
    """Ways to make the network called `name` with random weights, the most faithful first.

    Raises ConfigError when no such network is known.
    """
    if ":" in name:
        yield _custom_factory(name)
        return
    check_name("encoder", name, timm.list_models())
    for options in _SIZE_OPTIONS:
        yield partial(timm.create_model, name, pretrained=False, **options)


def native_size(backbone: nn.Module) -> tuple[int, int]:
    """Height and width that the network was made for; 224 x 224 where it does not say."""
    settings = getattr(backbone, "pretrained_cfg", None) or {}
    size = settings.get("input_size") or (3, 224, 224)
    return size[1], size[2]


def says_fixed_size(backbone: nn.Module) -> bool:
    """True if timm lists the network as made for one input size; not all that are so need it."""
    settings = getattr(backbone, "pretrained_cfg", None) or {}
    return bool(settings.get("fixed_input_size"))


def colour_statistics(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation (of 0..1 RGB) that the network's weights were trained with."""
    settings = getattr(backbone, "pretrained_cfg", None) or {}
    mean = settings.get("mean") or timm.data.IMAGENET_DEFAULT_MEAN
    std = settings.get("std") or timm.data.IMAGENET_DEFAULT_STD
    return tuple(mean), tuple(std)


def _custom_factory(name: str) -> Callable[[], nn.Module]:
    module_name, _, attribute = name.partition(":")
    try:
        factory = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"encoder {name!r} cannot be imported: {error}") from error

    def make() -> nn.Module:
        network = factory()
        if not isinstance(network, nn.Module):
            raise ConfigError(f"encoder {name!r} gave a {type(network).__name__}, not a nn.Module")
        return network

    return make
