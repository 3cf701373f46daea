from __future__ import annotations

import pytest
import torch

from pipeline.models.decoders.heads import head
from pipeline.models.decoders.parts import Features
from pipeline.models.decoders.registry import DECODERS, build_parts
from pipeline.models.factory import parameter_count
from tests.helpers.small_models import DECODERS_BY_COST, model, shared_model
from tests.helpers.translation import MOVED, answered_shift


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("size", [(32, 32), (101, 75)])
def test_the_output_has_the_size_of_the_input(decoder: str, size: tuple[int, int]) -> None:
    network = shared_model(decoder, "test_resnet", classes=3)
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize("decoder", DECODERS_BY_COST)
@pytest.mark.parametrize("encoder", ["test_efficientnet", "test_convnext", "test_vit"])
def test_every_parameter_learns(decoder: str, encoder: str) -> None:
    network = model(decoder, encoder).train()
    output = network(torch.rand(2, 3, 64, 64))
    logits = output if isinstance(output, torch.Tensor) else output[0] + output[1]
    logits.square().mean().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_linknet18_has_the_parameters_of_its_paper() -> None:
    assert parameter_count(model("linknet", "resnet18", classes=1)) == pytest.approx(
        11.5e6, abs=0.05e6
    )


def test_dlinknet_is_linknet_with_a_dilated_centre() -> None:
    plain, dilated = model("linknet", "test_resnet"), model("dlinknet", "test_resnet")
    extra = set(dilated.state_dict()) - set(plain.state_dict())
    assert extra
    assert all(name.startswith("decoder.centre.") for name in extra)
    rates = [m.dilation[0] for m in dilated.decoder.centre.modules() if hasattr(m, "dilation")]
    assert rates == [1, 2, 4, 8]


def test_a_vgg_unet_has_a_centre() -> None:
    with torch.device("meta"):
        vgg, resnet = model("unet", "vgg11_bn"), model("unet", "test_resnet")
    assert any(name.startswith("decoder.center") for name in vgg.state_dict())
    assert not any(name.startswith("decoder.center") for name in resnet.state_dict())


# dilated_context answers 0 everywhere at first, and refinenet sees further than the image is wide.
@pytest.mark.parametrize("decoder", sorted(set(DECODERS) - {"dilated_context", "refinenet"}))
def test_a_translation_moves_the_output_along(decoder: str) -> None:
    """No decoder stretches its map: what is 64 pixels further right answers 64 pixels further."""
    network = shared_model(decoder, "test_resnet", classes=1)
    assert answered_shift(network, 64, 1024) == pytest.approx(MOVED, abs=4)


@pytest.mark.parametrize("scale", [1, 4, 8, 32])
def test_a_head_keeps_pixels_in_place(scale: int) -> None:
    """A map that holds the position of its cells' centres becomes the position of every pixel."""
    last = head(1, 1, kernel=1, scale=scale)
    torch.nn.init.ones_(last[0].weight)
    centres = torch.arange(16.0) * scale + (scale - 1) / 2
    with torch.no_grad():
        positions = last(centres.expand(1, 1, 16, 16))[0, 0, 0]
    inside = slice(scale, -scale)
    torch.testing.assert_close(positions[inside], torch.arange(16.0 * scale)[inside])


@pytest.mark.parametrize("decoder", DECODERS)
def test_odd_channels_will_do(decoder: str) -> None:
    parts = build_parts(decoder, Features([17, 19, 23, 45, 185]), classes=2)
    image = torch.rand(2, 3, 64, 64)
    pairs = zip((2, 4, 8, 16, 32), (17, 19, 23, 45, 185), strict=True)
    features = [torch.rand(2, channels, 64 // level, 64 // level) for level, channels in pairs]
    with torch.no_grad():
        assert parts.head(parts.decoder([image, *features])).shape == (2, 2, 64, 64)
