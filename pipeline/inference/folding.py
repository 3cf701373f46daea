"""Batch normalisation as a part of the convolution before it: a pass over memory less for each.

Trained, a batch normalisation multiplies and adds constants, which weights and bias of a
convolution can hold as well (Jacob et al. 2018, section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pipeline.channels import Channels
from pipeline.models.grafting.prune import replace_module

SIDES = (64, 96)
"""H, W of the image on which a folded network is compared with what it was."""
TOLERANCE = 1e-3
"""Of logits, relative to the largest one; float32 gives some 1e-6."""

Pair = tuple[str, str]


@torch.no_grad()
def fold(network: nn.Module, channels: Channels) -> nn.Module:
    """`network`, in eval mode, with each batch normalisation folded that just a convolution feeds.

    Changes it in place; channels: of its input. A network that gives something else afterwards
    (one that uses an output twice, or computes its weights) is put back as it was.
    """
    network.eval()
    random = torch.Generator().manual_seed(0)
    images = torch.rand((1, channels.total, *SIDES), generator=random)
    pairs, before = _pairs(network, images)
    undo = [(name, module) for pair in pairs for name, module in _folded(network, pair)]
    if undo and not _alike(network(images), before):
        for name, module in undo:
            replace_module(network, name, module)
    return network


def _pairs(network: nn.Module, images: Tensor) -> tuple[list[Pair], Tensor]:
    """The names of convolutions and of the normalisations they feed; the network's output."""
    names = {module: name for name, module in network.named_modules()}
    convolutions = [module for module in names if _is_plain_convolution(module)]
    normalisations = [module for module in names if _is_normalisation(module)]
    outputs: list[tuple[nn.Module, Tensor]] = []  # held, so that no other tensor takes its place
    fed: list[tuple[nn.Module, nn.Module]] = []

    def gave(module: nn.Module, _: Any, output: Tensor) -> None:
        outputs.append((module, output))

    def takes(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        fed.extend((giver, module) for giver, output in outputs if output is inputs[0])

    hooks = [module.register_forward_hook(gave) for module in convolutions]
    hooks += [module.register_forward_pre_hook(takes) for module in normalisations]
    try:
        output = network(images)
    finally:
        for hook in hooks:
            hook.remove()
    givers, takers = [giver for giver, _ in outputs], [taker for _, taker in fed]
    alone = [(a, b) for a, b in fed if givers.count(a) == 1 and takers.count(b) == 1]
    return [(names[giver], names[taker]) for giver, taker in alone], output


def _is_plain_convolution(module: nn.Module) -> bool:
    """Of the kinds that compute with their weights as they are; nobody else looks at its output."""
    kinds = ("Conv2d", "Conv2dSame", "ConvTranspose2d")
    plain = isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and type(module).__name__ in kinds
    return plain and not module._forward_hooks


def _is_normalisation(module: nn.Module) -> bool:
    known = type(module) in (nn.BatchNorm2d, BatchNormAct2d)
    return known and module.running_mean is not None and not module._forward_hooks


def _folded(network: nn.Module, pair: Pair) -> list[tuple[str, nn.Module]]:
    """Fold one pair; the modules that were there before."""
    convolution, normalisation = (network.get_submodule(name) for name in pair)
    assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
    assert isinstance(normalisation, nn.BatchNorm2d)
    transposed = isinstance(convolution, nn.ConvTranspose2d)
    if transposed and convolution.groups != 1:
        return []
    together = fuse_conv_bn_eval(convolution, normalisation, transpose=transposed)
    after: nn.Module = nn.Identity()
    if isinstance(normalisation, BatchNormAct2d):
        after = nn.Sequential(normalisation.drop, normalisation.act)
    return [
        (name, replace_module(network, name, module))
        for name, module in zip(pair, (together, after), strict=True)
    ]


def _alike(output: Any, before: Tensor) -> bool:
    largest = float(before.abs().max())
    return bool((output - before).abs().max() <= TOLERANCE * max(largest, 1.0))
