from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.exporting.formats import FORMATS
from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.parts import Tap
from pipeline.models.factory import parameter_count
from pipeline.models.networks.registry import NETWORKS
from tests.helpers.small_networks import on_meta, whole

LEVELS = NETWORKS["unet_original"].levels


def test_valid_convolutions_turn_572_pixels_into_388() -> None:
    decoder = on_meta("unet_original", valid=True).decoder
    taps = [Tap("down.0", of_input=True), Tap("down.4"), Tap("up.3")]
    with tapped(decoder, taps) as features:
        shown = decoder([torch.empty(1, 3, 384, 384, device="meta")])
    assert [each.shape[2:] for each in features] == [(572, 572), (28, 28), (388, 388)]
    assert shown.shape == (1, 64, 384, 384)


def test_inside_of_the_image_valid_and_padded_convolutions_are_the_same() -> None:
    """Nothing is shifted by cropping: neither the map nor a level."""
    padded, valid = (whole("unet_original", width=2, valid=valid) for valid in (False, True))
    valid.load_state_dict(padded.state_dict())
    image = torch.rand(1, 3, 256, 224)
    with torch.no_grad():
        with tapped(padded.decoder, LEVELS) as ours:
            expected = padded(image)
        with tapped(valid.decoder, LEVELS) as theirs:
            found = valid(image)
    assert not torch.allclose(found, expected)
    for one, other in zip((found, *theirs), (expected, *ours), strict=True):
        margin = 96 * one.shape[2] // 256
        inside = (..., slice(margin, -margin), slice(margin, -margin))
        torch.testing.assert_close(one[inside], other[inside])


def test_an_image_smaller_than_the_mirrored_border_will_do() -> None:
    network = whole("unet_original", width=2, valid=True)
    with torch.no_grad():
        assert network(torch.rand(1, 3, 32, 45)).shape == (1, 2, 32, 45)


@pytest.mark.parametrize(
    ("options", "image", "parameters"),
    [
        ({}, 1, 31_030_658),
        ({"valid": True}, 3, 31_031_810),
        # Public forms with batch normalisation (31,039,746) have it on the way down alone, and keep
        # the biases before it. Ours has it everywhere: 5888 biases less, twice as many parameters
        # of normalisation more.
        ({"norm": True}, 3, 31_031_810 - 5888 + 2 * 5888),
    ],
)
def test_its_forms_have_the_parameters_of_public_ones(
    options: dict[str, bool], image: int, parameters: int
) -> None:
    parts = on_meta("unet_original", 2, image, **options)
    assert parameter_count(parts.decoder) + parameter_count(parts.head) == parameters


@pytest.mark.parametrize(
    "options", [{"valid": True}, {"norm": True}, {"valid": True, "norm": True}]
)
def test_every_parameter_of_its_forms_learns(options: dict[str, bool]) -> None:
    network = whole("unet_original", **options).train()
    network(torch.rand(1, 3, 32, 32)).square().mean().backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    assert not [name for name, each in gradients.items() if each is None or not each.any()]


def test_its_valid_form_can_be_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    network, file = whole("unet_original", width=2, valid=True), tmp_path / "network.onnx"
    FORMATS["onnx"].write(network, 3, file)
    images = torch.rand(1, 3, 32, 112)
    with torch.no_grad():
        expected = network(images).numpy()
    found = FORMATS["onnx"].read(file, network)(images.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_the_two_deepest_levels_drop_features() -> None:
    decoder = on_meta("unet_original", dropout=0.25).decoder
    dropped = {name: each.p for name, each in decoder.named_modules() if hasattr(each, "p")}
    assert {name.rsplit(".", 1)[0] for name in dropped} == {"down.3", "down.4"}
    assert set(dropped.values()) == {0.25}
