"""Whole networks as models: what they are shown, their weights, what the config refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.channels import Channels, ShownBand
from pipeline.config import ModelSpec
from pipeline.config.bands import Rule
from pipeline.config.loading import load_experiment
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.provenance import starting_point
from pipeline.models.segmentation import SegmentationModel, Trained
from tests.helpers.small_networks import NARROW

NARROW_NET = {"network": "unet_original", "options": NARROW["unet_original"]}


def _model(channels: Channels | None = None, **keys: Any) -> SegmentationModel:
    torch.manual_seed(0)
    spec = ModelSpec.model_validate({**NARROW_NET, **keys})
    given = {} if channels is None else {"channels": channels}
    return build_model(spec, classes=2, **given).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(32, 32), (101, 75)])
def test_logits_have_the_size_of_any_image(size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert _model()(torch.rand(2, 3, *size)).shape == (2, 2, *size)


def test_the_image_is_normalised() -> None:
    seen: list[torch.Tensor] = []
    network = _model()
    network.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        network(images)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (images - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize(
    ("use", "matters"), [("none", False), ("concat", True), ("difference", True)]
)
def test_a_reference_is_seen_as_it_is_asked_for(use: str, matters: bool) -> None:
    network = _model(Channels(3, references=True), reference=use)
    images = torch.rand(1, 6, 32, 32)
    other = torch.cat([images[:, :3], torch.rand(1, 3, 32, 32)], dim=1)
    with torch.no_grad():
        assert torch.equal(network(images), network(other)) is not matters


def test_bands_are_chosen_and_normalised() -> None:
    shown = (ShownBand(4, Rule("zscore")), ShownBand(1, Rule("zscore")))
    network = _model(Channels(5, scale=1, shown=shown))
    images = torch.rand(1, 5, 32, 32)
    changed = images.clone()
    changed[:, [0, 2, 3]] = 7
    with torch.no_grad():
        assert torch.equal(network(images), network(changed))
        changed[:, 4] = 7
        assert not torch.equal(network(images), network(changed))


def test_auxiliary_outputs_learn_from_its_map() -> None:
    names = ["deep_supervision", "presence", "boundary"]
    spec = ModelSpec.model_validate({**NARROW_NET, "auxiliary": [{"name": n} for n in names]})
    network = build_model(spec, classes=2)
    add_outputs(network, spec, 2)
    given = network.train()(torch.rand(2, 3, 40, 40))
    assert isinstance(given, Trained)
    assert given.outputs["presence"].shape == (2, 2)
    assert given.outputs["boundary"].shape == (2, 2, 40, 40)
    given.outputs["presence"].sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in network.decoder.parameters())


def test_weights_are_a_file_of_such_a_network(tmp_path: Path) -> None:
    source, path = _model(), tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    torch.manual_seed(1)
    spec = ModelSpec.model_validate({**NARROW_NET, "weights": str(path)})
    network = build_model(spec, classes=2)
    assert all(
        torch.equal(a, b) for a, b in zip(source.parameters(), network.parameters(), strict=True)
    )
    assert starting_point(spec)["unet_original"]["weights"] is not None

    other = {"network": "segnet", "options": NARROW["segnet"], "weights": str(path)}
    with pytest.raises(ConfigError, match=r"weights\.pth"):
        build_model(ModelSpec.model_validate(other), classes=2)
    missing = {**NARROW_NET, "weights": str(tmp_path / "nowhere.pth")}
    with pytest.raises(ConfigError, match=r"nowhere\.pth: .* is none"):
        build_model(ModelSpec.model_validate(missing), classes=2)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("network: segnett", r"unknown network 'segnett'; the nearest names are segnet"),
        (
            "network: segnet, encoder: resnet18",
            r"models\.a: network: segnet is a whole network; leave out encoder",
        ),
        (
            "network: segnet, decoder: unet, encoder: resnet18",
            r"whole network; leave out decoder and encoder",
        ),
        ("network: segnet, output_stride: 8", r"leave out output_stride"),
        ("network: segnet, weights: pretrained", r"has no pretrained weights"),
        ("network: segnet, reference: siamese", r"set reference: concat or difference"),
        (
            "network: segnet, options: {widht: 3}",
            r"models\.a\.options\.widht: network segnet has no such option; did you mean width",
        ),
        (
            "network: segnet, options: {width: -1}",
            r"models\.a\.options\.width: network segnet takes a whole number above 0",
        ),
        ("network: segnet, options: {width: wide}", r"options\.width: .* takes a whole number"),
        (
            "network: drn_d_22, auxiliary: [{name: deep_supervision}]",
            r"network drn_d_22 decodes in one step",
        ),
        (
            "network: segnet, train: {freeze: {encoder: true}}",
            r"train\.freeze keeps what an encoder",
        ),
        ("decoder: unet", r"models\.a\.encoder: is required"),
        ("weights: null", r"models\.a\.decoder: is required"),
        (
            "decoder: unet, encoder: resnet18, options: {k: 7}",
            r"options\.k: decoder unet has no such option",
        ),
    ],
)
def test_mistakes_are_named(model: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text(
        "name: x\ndata: {root: ., images: 'a/{id}.png', masks: 'b/{id}.png', classes: [c]}\n"
        f"models: {{a: {{{model}}}}}\n"
    )
    with pytest.raises(ConfigError, match=says):
        load_experiment(config, checks=name_checks())
