"""Features inside a decoder, taken while it computes its map."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.decoders.parts import Tap
from pipeline.models.encoder import Encoder
from pipeline.models.grafting.plan import LEVELS
from pipeline.models.image_input import ImageInput

_SIDE = 64


@contextmanager
def tapped(decoder: nn.Module, taps: Sequence[Tap]) -> Iterator[list[Tensor]]:
    """A list that holds the features of `taps`, in their order, once the decoder has run.

    The hooks live as long as the block: those of a network that is copied would look at the
    original.
    """
    if not taps:
        yield []
        return
    found: dict[Tap, Tensor] = {}
    features: list[Tensor] = []
    hooks = [_hook(decoder.get_submodule(tap.module), tap, found) for tap in taps]

    def ended(*_: Any) -> None:
        features[:] = [found[tap] for tap in taps]

    hooks.append(decoder.register_forward_hook(ended))
    try:
        yield features
    finally:
        for hook in hooks:
            hook.remove()


def _hook(module: nn.Module, tap: Tap, found: dict[Tap, Tensor]) -> Any:
    def given(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[tap] = inputs[0]

    def gave(_: nn.Module, __: Any, output: Tensor) -> None:
        found[tap] = output

    if tap.of_input:
        return module.register_forward_pre_hook(given)
    return module.register_forward_hook(gave)


def tapped_channels(
    decoder: nn.Module, taps: Sequence[Tap], encoder: Encoder | ImageInput
) -> tuple[list[int], int, int]:
    """The channels of each tap, those of the decoder's map, and how much smaller than the image
    that is, without computing anything.

    encoder: the one whose features the decoder is given, or what gives it the image alone.
    """
    shadow = copy.deepcopy(decoder).to("meta").eval()
    features = [torch.empty(1, encoder.in_channels, _SIDE, _SIDE, device="meta")]
    for level, count in zip(LEVELS, encoder.channels, strict=False):
        side = _SIDE // min(level, encoder.output_stride)
        features.append(torch.empty(1, count, side, side, device="meta"))
    with torch.no_grad(), tapped(shadow, taps) as found:
        last = shadow(features)
    return [each.shape[1] for each in found], last.shape[1], _SIDE // last.shape[2]
