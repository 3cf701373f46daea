"""Shared by the tests of the models: models and grafts, random and in eval mode."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from pipeline.channels import RGB, Channels
from pipeline.config import ModelSpec
from pipeline.models.decoders.parts import Features
from pipeline.models.decoders.registry import DECODERS, build_parts
from pipeline.models.encoder import Encoder
from pipeline.models.factory import build_model
from pipeline.models.grafting.build import Wish, make_graft
from pipeline.models.grafting.graft import Graft
from pipeline.models.segmentation import SegmentationModel

DECODERS_BY_COST = [
    pytest.param(name, marks=pytest.mark.slow) if name == "refinenet" else name for name in DECODERS
]
"""All decoders, of which those that take seconds even on small images are slow."""


def model(
    decoder: str, encoder: str, classes: int = 2, channels: Channels = RGB, **options: object
) -> SegmentationModel:
    """A model with random weights, always the same."""
    torch.manual_seed(0)
    settings: dict[str, object] = {"weights": None, **options}
    spec = ModelSpec.model_validate({"decoder": decoder, "encoder": encoder, **settings})
    return build_model(spec, classes=classes, channels=channels).eval()


@cache
def graft(encoder: str) -> Graft:
    """A graft with random weights; shared between tests, so not to be changed."""
    torch.manual_seed(0)
    return make_graft(encoder, Wish()).eval()


@cache
def shared_model(decoder: str, encoder: str, classes: int = 2) -> SegmentationModel:
    """A model on the shared graft of `encoder`; shared itself, so not to be changed."""
    encoder_module = Encoder(graft(encoder), RGB, finest=DECODERS[decoder].finest)
    features = Features(encoder_module.channels, encoder_module.output_stride)
    return SegmentationModel(encoder_module, build_parts(decoder, features, classes)).eval()


class Toy(nn.Module):
    """Halves five times; a ReLU overwrites each convolution's output in place."""

    def __init__(self, padding: int = 1, depth: int = 5) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3 if i == 0 else 4 * i, 4 * (i + 1), 3, stride=2, padding=padding),
                nn.ReLU(inplace=True),
            )
            for i in range(depth)
        )
        self.classifier = nn.Linear(4 * depth, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            images = stage(images)
        logits: torch.Tensor = self.classifier(images.mean(dim=(2, 3)))
        return logits


def valid_toy() -> nn.Module:
    """A Toy whose convolutions do not pad: no size halves exactly."""
    return Toy(padding=0)
