from __future__ import annotations

import copy

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.grafting.stitch import Seam, parse_seam
from tests.helpers.small_models import model

SEAMS = (
    "test_resnet[:2] + test_efficientnet[2:]",
    "test_convnext[:3]+test_resnet[3:]",
    "test_resnet[:4]+test_convnext[4:]",
)


@pytest.mark.parametrize("encoder", SEAMS)
def test_a_stitched_model_runs_and_learns(encoder: str) -> None:
    network = model("unet", encoder).train()
    logits = network(torch.rand(2, 3, 75, 107))
    assert logits.shape == (2, 2, 75, 107)
    logits.square().mean().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None]


def test_early_levels_are_the_early_network_s() -> None:
    seam = model("unet", SEAMS[0]).encoder
    plain = model("unet", "test_resnet").encoder
    early = {
        name.replace("graft.backbone", "graft.early.backbone"): tensor
        for name, tensor in plain.state_dict().items()
    }
    seam.load_state_dict(early, strict=False)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in list(zip(seam(image), plain(image), strict=True))[:2]:
            assert torch.equal(ours, theirs)
    late = model("unet", "test_efficientnet").encoder
    assert list(seam.channels) == [*plain.channels[:2], *late.channels[2:]]


def test_nothing_of_the_late_network_s_early_stages_is_left() -> None:
    names = [name for name, _ in model("unet", SEAMS[0]).named_parameters()]
    late = [name for name in names if ".late." in name]
    assert late
    assert not [name for name in late if "conv_stem" in name or "blocks.0." in name]


def test_a_stitched_model_can_be_copied_after_use() -> None:
    network = model("linknet", SEAMS[0])
    image = torch.rand(1, 3, 32, 32)
    output = network(image)
    assert torch.equal(copy.deepcopy(network)(image), output)


def test_seams_are_parsed() -> None:
    assert parse_seam("resnet34[:2] + densenet121[2:]") == Seam("resnet34", "densenet121", 2)
    assert parse_seam("resnet34") is None


@pytest.mark.parametrize("encoder", ["a[:2] + b[3:]", "a[:0]+b[0:]", "a[:5]+b[5:]", "a[2:]+b[:2]"])
def test_a_bad_seam_is_refused(encoder: str) -> None:
    with pytest.raises(ConfigError, match="write stitched networks as"):
        parse_seam(encoder)


def test_networks_that_cannot_be_stitched_say_so() -> None:
    with pytest.raises(ConfigError, match="'test_convnext' has no activation at 1/2"):
        model("unet", "test_resnet[:1] + test_convnext[1:]")
    with pytest.raises(ConfigError, match="'test_vit' cannot be entered at 1/16"):
        model("unet", "test_resnet[:4] + test_vit[4:]")
