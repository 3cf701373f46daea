"""The heads of auxiliary outputs, which are part of a network while it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from segmentation_models_pytorch.base.initialization import initialize_head
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config.auxiliary import (
    AuxiliaryOutput,
    ColumnOutput,
    DeepSupervision,
    MapOutput,
    Presence,
)
from pipeline.models.auxiliary.levels import tapped_channels
from pipeline.models.auxiliary.target import Column
from pipeline.models.decoders.parts import Tap
from pipeline.models.encoder import Encoder
from pipeline.models.image_input import ImageInput

OUTPUTS = "outputs."
"""Begins the names of their tensors among those of a network."""


class Features(NamedTuple):
    """What heads are given of a forward pass."""

    levels: Sequence[Tensor]
    """Of the decoder, the finest first."""
    decoded: Tensor
    """The decoder's map."""
    deepest: Tensor
    """The encoder's last feature; the decoder's map where there is no encoder."""
    padded: Sequence[int]
    """H, W of the image that both saw."""
    size: Sequence[int]
    """H, W of the image itself, at the top left of it."""


class LevelHeads(nn.Module):
    """Logits N × classes × h × w of each level, by a 1×1 convolution."""

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(each, classes, 1) for each in channels)
        for head in self.heads:
            initialize_head(head)

    def forward(self, features: Features) -> list[Tensor]:
        return [head(each) for head, each in zip(self.heads, features.levels, strict=True)]


class MapHead(nn.Module):
    """Logits N × classes × H × W, by a 3×3 convolution of the decoder's map."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels, classes, 3, padding=1)
        initialize_head(self.head)

    def forward(self, features: Features) -> Tensor:
        logits: Tensor = self.head(features.decoded)
        if logits.shape[2:] != tuple(features.padded):
            size = tuple(features.padded)
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits[..., : features.size[0], : features.size[1]]


class ImageHead(nn.Module):
    """Numbers N × count of a whole image, from the mean of the deepest feature.

    The standardisation of a number is kept as buffers, for whoever wants it in its own unit.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, count: int, column: Column | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, count)
        bound = 1 / math.sqrt(channels)
        nn.init.uniform_(self.linear.weight, -bound, bound)
        nn.init.zeros_(self.linear.bias)
        if column is not None and not column.classes:
            self.register_buffer("mean", torch.tensor(column.mean))
            self.register_buffer("deviation", torch.tensor(column.deviation))

    def forward(self, features: Features) -> Tensor:
        numbers: Tensor = self.linear(features.deepest.mean(dim=(2, 3)))
        return numbers


class AuxiliaryHeads(nn.ModuleDict):
    """The heads of a model by the labels of their outputs."""

    def __init__(
        self,
        outputs: Sequence[AuxiliaryOutput],
        decoder: tuple[Sequence[Tap], nn.Module],
        encoder: Encoder | ImageInput,
        classes: int,
        columns: Sequence[Column] = (),
    ) -> None:
        """decoder: with its levels; columns: of the outputs that are one, in their order."""
        super().__init__()
        self.shown: tuple[str, ...] = ()
        """Of those with a value a class, what the network puts out beside its masks in use."""
        levels = sum(each.levels for each in outputs if isinstance(each, DeepSupervision))
        self.taps: Sequence[Tap] = decoder[0][:levels]
        by_level, last, _ = tapped_channels(decoder[1], self.taps, encoder)
        deepest = encoder.channels[-1] if encoder.channels else last
        left = iter(columns)
        self.labels = {slot: output.label for slot, output in slots(outputs)}
        self.facts: dict[str, dict[str, Any]] = {label: {} for label in self.labels.values()}
        """By label, what a file of weights says of it."""
        for slot, output in slots(outputs):
            if isinstance(output, DeepSupervision):
                self[slot] = LevelHeads(by_level, classes)
            elif isinstance(output, Presence):
                self[slot] = ImageHead(deepest, classes)
            elif isinstance(output, MapOutput):
                self[slot] = MapHead(last, classes)
            elif isinstance(output, ColumnOutput):
                column = next(left, Column())  # without facts, it has the size of a number's
                self.facts[output.label] = column.facts
                self[slot] = ImageHead(deepest, len(column.classes) or 1, column)

    def forward(self, features: Features) -> dict[str, Any]:
        """What each head puts out, by label."""
        return {self.labels[slot]: head(features) for slot, head in self.items()}

    def beside(self, logits: Tensor, features: Features) -> Tensor:
        """The logits of masks, followed by those of each output in `shown`, as maps too."""
        given = self(features)
        maps = [given[label] for label in self.shown]
        size = logits.shape[2:]
        return torch.cat(
            [logits, *(one if one.ndim == 4 else _everywhere(one, size) for one in maps)], dim=1
        )


def _everywhere(numbers: Tensor, size: Sequence[int]) -> Tensor:
    """N × C → N × C × H × W."""
    return numbers[..., None, None].expand(*numbers.shape, *size)


def slots(outputs: Sequence[AuxiliaryOutput]) -> list[tuple[str, AuxiliaryOutput]]:
    """The outputs with the names of their modules: columns by number, as a name may be anything."""
    numbers = iter(range(len(outputs)))
    return [
        (f"column{next(numbers)}" if isinstance(each, ColumnOutput) else each.name, each)
        for each in outputs
    ]
