"""Folded networks give what they gave, and those that cannot be folded stay as they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.channels import RGB
from pipeline.inference.folding import fold
from tests.helpers.small_models import model

NORMALISATION = nn.modules.batchnorm._BatchNorm


def _unlike_new(network: nn.Module) -> nn.Module:
    """With statistics as after a training: new ones are 0 and 1, and hide an error."""
    random = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, NORMALISATION):
            for values, low, high in (
                (module.running_mean, -0.5, 0.5), (module.running_var, 0.5, 2),
                (module.weight.data, 0.5, 1.5), (module.bias.data, -0.5, 0.5),
            ):  # fmt: skip
                assert isinstance(values, Tensor)
                values.copy_(torch.rand(values.shape, generator=random) * (high - low) + low)
    return network.eval()


def _normalisations(network: nn.Module) -> int:
    return sum(isinstance(each, NORMALISATION) for each in network.modules())


@pytest.mark.parametrize(
    ("decoder", "encoder", "share"),
    [
        ("linknet", "resnet18", 0.9),
        ("unet", "tf_efficientnet_lite0", 0.9),  # BatchNormAct2d, Conv2dSame
        ("pspnet", "mobilenetv3_small_100", 0.9),
        ("deeplabv3plus", "resnet18", 0.9),
        pytest.param("fpn", "vgg11_bn", 0.8, marks=pytest.mark.slow),
        ("linknet", "densenet121", 0.4),  # where it normalises what convolutions gave together
        ("unet", "test_convnext", 0.5),
        pytest.param(
            "linknet", "resnet18[:2] + mobilenetv3_small_100[2:]", 0.8, marks=pytest.mark.slow
        ),
    ],
)
@torch.no_grad()
def test_a_folded_network_gives_what_it_gave(decoder: str, encoder: str, share: float) -> None:
    network = _unlike_new(model(decoder, encoder))
    images = torch.rand(2, 3, 70, 45, generator=torch.Generator().manual_seed(2))
    before, count = network(images), _normalisations(network)
    fold(network, RGB)
    assert _normalisations(network) <= (1 - share) * count
    torch.testing.assert_close(network(images), before, rtol=1e-3, atol=1e-4)


class _Twice(nn.Module):
    """A normalisation is fed by a convolution whose output is used again."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.normalisation = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        features = self.convolution(images)
        return self.normalisation(features) + features


class _Shared(nn.Module):
    """One convolution feeds two normalisations, each in a call of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.normalisations = nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(3)])

    def forward(self, images: Tensor) -> Tensor:
        for each in self.normalisations:
            images = each(self.convolution(images))
        return images


class _Standardised(nn.Conv2d):
    """Computes the weights it uses."""

    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(images, weight, self.bias)


@pytest.mark.parametrize(
    "make",
    [_Twice, _Shared, lambda: nn.Sequential(_Standardised(3, 4, 1), nn.BatchNorm2d(4))],
)
@torch.no_grad()
def test_a_network_that_cannot_be_folded_stays_as_it_is(make: Any) -> None:
    torch.manual_seed(0)
    network = _unlike_new(make())
    images = torch.rand(1, 3, 20, 30)
    before = network(images)
    fold(network, RGB)
    assert torch.equal(network(images), before)
    assert _normalisations(network) > 0


@torch.no_grad()
def test_transposed_convolutions_are_folded() -> None:
    torch.manual_seed(0)
    network = _unlike_new(
        nn.Sequential(nn.ConvTranspose2d(3, 5, 4, 2, 1, bias=False), nn.BatchNorm2d(5))
    )
    images = torch.rand(1, 3, 9, 7)
    before = network(images)
    fold(network, RGB)
    assert _normalisations(network) == 0
    torch.testing.assert_close(network(images), before, rtol=1e-4, atol=1e-5)
