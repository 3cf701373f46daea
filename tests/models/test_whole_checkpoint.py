from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch

from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.architecture import check_architecture
from pipeline.models.factory import build_model
from pipeline.models.whole_checkpoint import from_smp, to_smp
from tests.helpers.small_models import model


@pytest.mark.parametrize(
    ("theirs", "ours", "architecture", "decoder"),
    [
        ("resnet18", "resnet18", smp.Unet, "unet"),
        ("tu-resnet18", "resnet18", smp.Unet, "unet"),
        pytest.param("vgg11_bn", "vgg11_bn", smp.Unet, "unet", marks=pytest.mark.slow),
        ("resnet18", "resnet18", smp.MAnet, "manet"),
    ],
)
def test_checkpoints_load_both_ways(
    theirs: str, ours: str, architecture: type[torch.nn.Module], decoder: str
) -> None:
    their_model = architecture(theirs, encoder_weights=None, classes=2).eval()
    our_model = model(decoder, ours)
    our_model.load_state_dict(from_smp(their_model.state_dict()))
    images = torch.rand(1, 3, 64, 64)
    normalised = (images - our_model.encoder.mean) / our_model.encoder.std
    with torch.no_grad():
        assert torch.equal(our_model(images), their_model(normalised))
    back = to_smp(our_model.state_dict(), wrapped=theirs.startswith("tu-"))
    their_model.load_state_dict(back)


def _spec(weights: Path, decoder: str = "unet", **more: Any) -> ModelSpec:
    return ModelSpec(decoder=decoder, encoder="resnet18", weights=str(weights), **more)


def test_a_file_of_a_whole_smp_model_is_what_the_model_starts_from(tmp_path: Path) -> None:
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=2).eval()
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "smp.pth")
    ours = build_model(_spec(tmp_path / "smp.pth"), classes=2).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = theirs((images - ours.encoder.mean) / ours.encoder.std)
        assert torch.equal(ours(images), expected)


def test_a_head_of_other_classes_is_an_error_or_stays_random(tmp_path: Path) -> None:
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=5)
    torch.save(theirs.state_dict(), tmp_path / "smp.pth")
    with pytest.raises(ConfigError, match=r"head.*5, 16, 3, 3.*instead of \(1, 16, 3, 3"):
        build_model(_spec(tmp_path / "smp.pth"), classes=1)
    model = build_model(_spec(tmp_path / "smp.pth", allow_partial=True), classes=1)
    mine, given = model.state_dict(), from_smp(theirs.state_dict())
    same = [name for name in mine if torch.equal(mine[name], given[name])]
    assert {name for name in mine if name not in same} == {"head.0.weight", "head.0.bias"}


def test_a_decoder_that_computes_otherwise_refuses_smp_s_file(tmp_path: Path) -> None:
    theirs = smp.FPN("resnet18", encoder_weights=None, classes=1)
    torch.save(theirs.state_dict(), tmp_path / "smp.pth")
    message = "whole SMP model; decoder 'segformer' would give other .* fpn, upernet, pspnet, deep"
    with pytest.raises(ConfigError, match=message):
        build_model(_spec(tmp_path / "smp.pth", "segformer"), classes=1)


ALIGNED = [
    (smp.FPN, "fpn", "resnet18", "resnet18", {"align": "smp"}, {}),
    (smp.UPerNet, "upernet", "resnet18", "resnet18", {"align": "smp"}, {}),
    (smp.PSPNet, "pspnet", "resnet18", "resnet18", {"align": "smp"}, {}),
    (smp.PSPNet, "pspnet", "tu-resnet18", "resnet18", {"align": "smp"}, {"allow_partial": True}),
    (smp.DeepLabV3Plus, "deeplabv3plus", "resnet18", "resnet18", {"align": "smp"}, {}),
    pytest.param(
        smp.DeepLabV3Plus, "deeplabv3plus", "resnet50", "resnet50", {"align": "smp"}, {},
        marks=pytest.mark.slow,
    ),
    (smp.DeepLabV3Plus, "deeplabv3plus", "tu-resnet18", "resnet18", {"align": "smp_timm"}, {}),
    (
        partial(smp.DeepLabV3Plus, encoder_output_stride=8),
        "deeplabv3plus", "resnet18", "resnet18", {"align": "smp"}, {"output_stride": 8},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "decoder", "theirs", "ours", "options", "more"), ALIGNED)
def test_aligned_as_smp_a_decoder_gives_its_outputs(
    tmp_path: Path,
    architecture: Callable[..., torch.nn.Module],
    decoder: str,
    theirs: str,
    ours: str,
    options: dict[str, str],
    more: dict[str, object],
) -> None:
    torch.manual_seed(0)
    their_model = architecture(theirs, encoder_weights=None, classes=2)
    for name, tensor in their_model.state_dict().items():  # as if it had been trained
        if name.endswith(("running_mean", "bias")):
            tensor.copy_(torch.randn_like(tensor) * 0.1)
    their_model.eval()
    torch.save(their_model.state_dict(), tmp_path / "smp.pth")
    wish: dict[str, object] = {
        "decoder": decoder, "encoder": ours, "weights": str(tmp_path / "smp.pth"), **more,
    }  # fmt: skip
    model = build_model(ModelSpec.model_validate({**wish, "options": options}), classes=2).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = their_model((images - model.encoder.mean) / model.encoder.std)
        # kernels of 1x1 that SMP dilates, to no effect, add up in another order
        torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-6)
    (value,) = options.values()
    with pytest.raises(ConfigError, match=rf"with options: {{align: {value}}}, and other ones"):
        build_model(ModelSpec.model_validate(wish), classes=2)


def test_the_dilation_of_the_file_s_encoder_must_be_chosen(tmp_path: Path) -> None:
    theirs = smp.DeepLabV3Plus("resnet18", encoder_weights=None)
    torch.save(theirs.state_dict(), tmp_path / "smp.pth")
    spec = _spec(tmp_path / "smp.pth", "deeplabv3plus", options={"align": "smp_timm"})
    with pytest.raises(ConfigError, match=r"with options: {align: smp}"):
        build_model(spec, classes=1)


def test_a_densenet_of_smp_is_refused(tmp_path: Path) -> None:
    theirs = smp.Unet("densenet121", encoder_weights=None)
    torch.save(theirs.state_dict(), tmp_path / "smp.pth")
    spec = ModelSpec(decoder="unet", encoder="densenet121", weights=str(tmp_path / "smp.pth"))
    with pytest.raises(ConfigError, match="DenseNet gives the decoder other features"):
        build_model(spec, classes=1)


def test_pspnet_as_smp_s_has_no_published_tail() -> None:
    spec = ModelSpec(
        decoder="pspnet", encoder="resnet18", options={"align": "smp", "tail": "published"}
    )
    with pytest.raises(ConfigError, match="does not have tail: published"):
        check_architecture(("a", spec))


def test_the_weights_of_a_run_start_another(tmp_path: Path) -> None:
    first = build_model(ModelSpec(decoder="linknet", encoder="resnet18", weights=None), classes=1)
    torch.save(first.state_dict(), tmp_path / "member.pt")
    second = build_model(_spec(tmp_path / "member.pt", "linknet"), classes=1)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
