"""A mean field as layers: the iterations by hand, what is learned, sizes, exports, mistakes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.channels import Channels
from pipeline.config import build_experiment
from pipeline.config.crf_rnn import CrfRnn
from pipeline.errors import ConfigError
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.exporting.formats import FORMATS
from pipeline.models.crf_rnn import CrfRnnLayers
from pipeline.models.factory import parameter_count
from tests.helpers.small_models import model

EXCLUSIVE = [False, True]


def layers(classes: int = 3, **settings: Any) -> CrfRnnLayers:
    """With compatibilities and weights that are not the first ones."""
    torch.manual_seed(0)
    module = CrfRnnLayers(CrfRnn.model_validate(settings), classes).eval()
    with torch.no_grad():
        module.weights.copy_(torch.rand_like(module.weights))
        module.compatibility.add_(0.3 * torch.randn_like(module.compatibility))
    return module


@pytest.mark.parametrize("exclusive", EXCLUSIVE)
def test_iterations_are_the_sums_of_the_paper_in_a_window(exclusive: bool) -> None:
    """Pixel by pixel, in float64."""
    given = {"exclusive": exclusive, "iterations": 2, "radius": 2, "stride": 1, "colour": 0.7}
    module = layers(**given, near=1.2)
    logits, image = torch.randn(1, 3, 5, 6), torch.randn(1, 3, 5, 6)
    unary, colours = logits[0].double().numpy(), image[0].double().numpy()
    weights = module.weights.detach().double().numpy()[..., 0, 0]
    compatibility = module.compatibility.detach().double().numpy()
    field = unary.copy()
    for _ in range(2):
        powers = np.exp(field)
        state = powers / powers.sum(axis=0) if exclusive else 2 / (1 + 1 / powers) - 1
        message = np.zeros_like(field)
        for y, x in product(range(5), range(6)):
            sums, totals = np.zeros((2, 3)), np.zeros(2)
            for v, u in product(range(y - 2, y + 3), range(x - 2, x + 3)):
                if not (0 <= v < 5 and 0 <= u < 6) or (v, u) == (y, x):
                    continue
                square = ((colours[:, y, x] - colours[:, v, u]) ** 2).sum()
                kernel = [
                    np.exp(-square / (2 * 0.7**2)),
                    np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * 1.2**2)),
                ]
                sums += np.outer(kernel, state[:, v, u])
                totals += kernel
            message[:, y, x] = (weights * sums / totals[:, None]).sum(axis=0)
        field = unary + np.einsum("kc,chw->khw", compatibility, message)
    with torch.no_grad():
        np.testing.assert_allclose(module(logits, image)[0], field, rtol=1e-3, atol=1e-4)


def test_without_weights_it_changes_nothing() -> None:
    module = layers()
    torch.nn.init.zeros_(module.weights)
    logits = torch.randn(2, 3, 32, 32)
    assert torch.equal(module(logits, torch.randn(2, 3, 32, 32)), logits)


def test_it_follows_the_colours_of_the_image() -> None:
    """A disc of one colour, told badly by the logits."""
    places = torch.stack(torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij"))
    disc = ((places - 32).square().sum(dim=0) < 400).float()
    torch.manual_seed(0)
    logits = (2 * disc - 1)[None, None] * 0.5 + torch.randn(1, 1, 64, 64)
    image = (2 * disc - 1).expand(1, 3, -1, -1) + 0.05 * torch.randn(1, 3, 64, 64)
    module = CrfRnnLayers(CrfRnn(), 1).eval()
    with torch.no_grad():
        torch.nn.init.constant_(module.weights, 3.0)
        refined = module(logits, image)
    wrong = [float(((each > 0).float() != disc).float().mean()) for each in (logits, refined)]
    assert wrong[1] < 0.2 * wrong[0]


@pytest.mark.parametrize("exclusive", EXCLUSIVE)
def test_every_parameter_learns_and_training_takes_fewer_iterations(exclusive: bool) -> None:
    network = model("linknet", "test_resnet", crf_rnn={"exclusive": exclusive, "radius": 2})
    plain = model("linknet", "test_resnet")
    assert parameter_count(network) - parameter_count(plain) == 2 * 2 + 2 * 2
    images = torch.rand(2, 3, 45, 70)
    network.train()(images).square().mean().backward()
    assert all(each.grad is not None and each.grad.isfinite().all()
               for each in network.parameters())  # fmt: skip
    assert network.crf is not None and network.crf.compatibility.grad is not None
    assert network.crf.compatibility.grad.any() and network.crf.weights.grad is not None
    module = network.crf
    given = torch.randn(1, 2, 16, 16), torch.randn(1, 3, 16, 16)
    assert not torch.equal(module.train()(*given), module.eval()(*given))


@pytest.mark.parametrize("more", [{}, {"scales": {"at": [1, 0.5]}}, {"reference": "difference"}])
def test_it_stands_behind_any_network(more: dict[str, Any]) -> None:
    channels = Channels(3, references="reference" in more)
    wish = {"crf_rnn": {"radius": 1, "stride": 4}, **more}
    network = model("linknet", "test_resnet", channels=channels, **wish)
    with torch.no_grad():
        assert network(torch.rand(1, channels.total, 50, 41)).shape == (1, 2, 50, 41)


@pytest.mark.parametrize("wish", ["onnx", pytest.param("torchscript", marks=pytest.mark.slow)])
def test_it_is_exported_for_any_size(tmp_path: Path, wish: str) -> None:
    if wish == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    network = model("linknet", "test_resnet", crf_rnn={"radius": 1, "iterations": 2})
    exported = ExportedNetwork([network], "arithmetic", multiclass=False, scale=1)
    path = tmp_path / f"a.{FORMATS[wish].suffix}"
    FORMATS[wish].write(exported, 3, path)
    computes = FORMATS[wish].read(path, exported)
    assert computes is not None
    for size in [(64, 64), (32, 96)]:
        images = torch.rand(2, 3, *size)
        with torch.no_grad():
            wanted = exported(images).numpy()
        np.testing.assert_allclose(computes(images.numpy()), wanted, atol=1e-4)


def test_weights_of_the_plain_network_start_it(tmp_path: Path) -> None:
    plain, path = model("linknet", "test_resnet"), tmp_path / "plain.pth"
    torch.save(plain.state_dict(), path)
    network = model("linknet", "test_resnet", crf_rnn={}, weights=str(path))
    torch.testing.assert_close(network.head.state_dict(), plain.head.state_dict())
    torch.save(network.state_dict(), path)
    again = model("linknet", "test_resnet", crf_rnn={}, weights=str(path))
    torch.testing.assert_close(again.state_dict(), network.state_dict())


@pytest.mark.parametrize("multiclass", [False, True])
def test_its_field_must_be_that_of_the_classes(multiclass: bool) -> None:
    raw = {
        "name": "a",
        "data": {"root": "d", "images": "i/{id}.png", "masks": "m/{id}.png",
                 "classes": {"a": 0, "b": 1}, "multiclass": multiclass},
        "submission": {"rows": "class", "key": "{id}_{class}"},
        "models": {"m": {"decoder": "unet", "encoder": "resnet18",
                         "crf_rnn": {"exclusive": not multiclass}}},
    }  # fmt: skip
    with pytest.raises(
        ConfigError, match=rf"m\.crf_rnn\.exclusive: .* set exclusive: {multiclass}".lower()
    ):
        build_experiment(raw, source="x")
