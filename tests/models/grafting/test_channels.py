from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.channels import Channels
from pipeline.errors import ConfigError
from pipeline.models.grafting.channels import (
    COLOURS,
    adapt_input,
    per_channel,
    repeated,
    shared_weights,
)
from tests.helpers.small_models import Toy, model, shared_model


@given(channels=st.integers(3, 12), seed=st.integers(0, 1000))
def test_a_repeated_image_gets_the_same_response(channels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64)
    image = torch.rand(1, 3, 8, 8, generator=generator, dtype=torch.float64)
    colours = [c % COLOURS for c in range(channels)]
    expected = torch.conv2d(image, weight)
    got = torch.conv2d(image[:, colours], shared_weights(weight, colours))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("encoder", ["test_resnet", "test_vit", "test_nfnet"])
@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_gray_image_gets_the_rgb_response(encoder: str, channels: int) -> None:
    gray = torch.rand(1, 1, 64, 64)
    three = shared_model("linknet", encoder).encoder
    other = model("linknet", encoder, channels=Channels(channels)).encoder
    with torch.no_grad():
        expected = three.graft((gray.expand(1, 3, 64, 64) - three.mean) / three.std)
        image = repeated(gray.expand(1, channels, 64, 64))
        got = other.graft((image - other.mean) / other.std)
    for level in expected:
        torch.testing.assert_close(got[level], expected[level], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_every_channel_matters(channels: int) -> None:
    network = model("linknet", "test_efficientnet", channels=Channels(channels))
    images = torch.rand(1, channels, 64, 64, requires_grad=True)
    network(images).square().sum().backward()
    assert images.grad is not None
    assert (images.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_statistics_follow_the_colours() -> None:
    assert per_channel((1.0, 2.0, 3.0), 4).flatten().tolist() == [1, 2, 3, 1]
    assert per_channel((1.0, 2.0, 3.0), 1).flatten().tolist() == [1, 2, 3]


def test_a_network_without_an_rgb_layer_is_refused() -> None:
    toy = Toy()
    toy.stages[0][0] = torch.nn.Conv2d(4, 4, 1)
    with pytest.raises(ConfigError, match="'toy' cannot take 6 channels"):
        adapt_input("toy", toy, 6)
