"""Attention to scale: shared weights, weights a pixel that add up to 1, and what is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.config import ModelSpec
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.exporting.formats import FORMATS
from pipeline.models.factory import build_model, parameter_count
from pipeline.models.scales import WIDTH
from pipeline.models.segmentation import SegmentationModel, Trained
from tests.helpers.small_models import model
from tests.helpers.small_networks import NARROW

SCALES = {"at": [1, 0.5]}


def scaled(decoder: str = "linknet", classes: int = 2, **scales: object) -> SegmentationModel:
    return model(decoder, "test_resnet", classes, scales={**SCALES, **scales})


@pytest.mark.parametrize("at", [[1, 0.5], [1, 0.75, 0.5], [1, 1.5]])
@pytest.mark.parametrize("size", [(32, 32), (101, 77)])
def test_logits_have_the_size_of_the_image(at: list[float], size: tuple[int, int]) -> None:
    network = scaled(at=at)
    images = torch.rand(1, 3, *size)
    with torch.no_grad():
        assert network(images).shape == (1, 2, *size)
    given = network.train()(torch.rand(2, 3, *size))
    assert isinstance(given, Trained) and given.outputs == {}
    assert [each.shape for each in given.scales] == [(2, 2, *size)] * len(at)
    given = scaled(at=at, supervise=False).train()(torch.rand(2, 3, *size))
    assert isinstance(given, torch.Tensor)


def test_each_scale_is_the_plain_network_and_the_whole_lies_between_them() -> None:
    network = scaled()
    plain = model("linknet", "test_resnet")
    plain.load_state_dict(
        {k: v for k, v in network.state_dict().items() if not k.startswith("scales.")}
    )
    images = torch.rand(2, 3, 64, 128)
    half = torch.nn.functional.avg_pool2d(images, 2)
    seen = {}
    assert network.scales is not None
    network.scales.register_forward_hook(lambda _, __, out: seen.update(whole=out[1]))
    with torch.no_grad():
        merged, first, second = network(images), plain(images), plain(half)
    torch.testing.assert_close(seen["whole"][0], first)
    assert seen["whole"][1].shape == first.shape
    torch.testing.assert_close(
        seen["whole"][1].mean((2, 3)), second.mean((2, 3)), rtol=0.05, atol=0.05
    )
    low, high = torch.stack(seen["whole"]).aminmax(dim=0)
    assert ((merged >= low - 1e-5) & (merged <= high + 1e-5)).all()
    assert not torch.allclose(merged, first)


def test_weights_add_up_to_one_and_choose_a_scale_by_pixel() -> None:
    network = scaled(at=[1, 0.75, 0.5])
    assert network.scales is not None
    attention = network.scales.attention
    decoded = [torch.rand(1, attention[0].in_channels // 3, *size) for size in [(32, 32)] * 3]
    weights = network.scales.weights_of(decoded)
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
    assert (weights - 1 / 3).abs().max() < 0.1, "alike at first"
    with torch.no_grad():
        attention[2].bias.copy_(torch.tensor([-99.0, 99, -99]))
        logits = [torch.full((1, 2, 64, 64), float(each)) for each in range(3)]
        merged, _ = network.scales(decoded, logits)
    torch.testing.assert_close(merged, logits[1])


@pytest.mark.parametrize("spec", [
    {"decoder": "deeplabv2", "encoder": "test_resnet"},
    {"decoder": "unet", "encoder": "test_resnet"},
    {"decoder": "pspnet", "encoder": "test_resnet"},
    {"network": "unet_original", "options": NARROW["unet_original"]},
])  # fmt: skip
def test_every_parameter_learns(spec: dict[str, object]) -> None:
    torch.manual_seed(0)
    wish = ModelSpec.model_validate({"weights": None, **spec, "scales": SCALES})
    network = build_model(wish, classes=2).train()
    given = network(torch.rand(2, 3, 64, 64))
    loss = given.logits.square().mean() + sum(each.square().mean() for each in given.scales)
    if given.auxiliary is not None:
        loss = loss + given.auxiliary.square().mean()
    loss.backward()
    left = [name for name, each in network.named_parameters() if each.grad is None]
    assert not left
    assert all(each.grad is not None and each.grad.isfinite().all()
               for each in network.parameters())  # fmt: skip
    assert network.scales is not None
    assert all(each.grad is not None and each.grad.any() for each in network.scales.parameters())


def test_the_attention_has_the_papers_two_layers() -> None:
    channels = 32  # of linknet's map
    network, plain = scaled(), model("linknet", "test_resnet")
    added = 2 * channels * WIDTH * 9 + WIDTH + WIDTH * 2 + 2
    assert parameter_count(network) - parameter_count(plain) == added


@pytest.mark.parametrize(
    "wish", ["onnx", "state_dict", pytest.param("torchscript", marks=pytest.mark.slow)]
)
def test_it_is_exported_for_any_size(tmp_path: Path, wish: str) -> None:
    if wish == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    exported = ExportedNetwork([scaled()], "arithmetic", multiclass=False, scale=1)
    assert exported.step == 64
    path = tmp_path / f"a.{FORMATS[wish].suffix}"
    FORMATS[wish].write(exported, 3, path)
    computes = FORMATS[wish].read(path, exported)
    assert computes is not None
    for size in [(64, 64), (64, 192), (128, 64)]:
        images = torch.rand(2, 3, *size)
        with torch.no_grad():
            wanted = exported(images).numpy()
        np.testing.assert_allclose(computes(images.numpy()), wanted, atol=1e-4)


def test_weights_of_one_scale_start_it_and_its_own_come_back(tmp_path: Path) -> None:
    plain, path = model("linknet", "test_resnet"), tmp_path / "plain.pth"
    torch.save(plain.state_dict(), path)
    network = model("linknet", "test_resnet", scales=SCALES, weights=str(path))
    torch.testing.assert_close(network.head.state_dict(), plain.head.state_dict())
    with torch.no_grad():
        assert network.scales is not None
        network.scales.attention[2].bias.fill_(3)
    torch.save(network.state_dict(), path)
    again = model("linknet", "test_resnet", scales=SCALES, weights=str(path))
    torch.testing.assert_close(again.state_dict(), network.state_dict())


@pytest.mark.parametrize(("spec", "says"), [
    ({"scales": {"at": [0.5, 1]}}, "first scale is the image itself, 1, and not 0.5"),
    ({"scales": {"at": [1, 0.5, 0.5]}}, "a scale stands twice"),
    ({"scales": {"at": [1, 0.3]}}, "0.3 is no scale: take multiples of 0.25 up to 2"),
    ({"scales": {"at": [1, 4]}}, "4 is no scale"),
    ({"scales": {"at": [1]}}, "at least 2"),
    ({"scales": {"at": [1, 0.5]}, "auxiliary": [{"name": "presence"}]}, "no auxiliary outputs"),
])  # fmt: skip
def test_what_cannot_be_is_refused(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelSpec.model_validate({"decoder": "unet", "encoder": "resnet18", **spec})


def test_its_title_says_so() -> None:
    spec = ModelSpec.model_validate({"decoder": "unet", "encoder": "resnet18", "scales": SCALES})
    assert spec.title == "resnet18 in unet at 1, 0.5"
