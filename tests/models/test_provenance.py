"""What a model starts from is told by bytes and versions, not by the name of a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import timm

from pipeline.config import ModelSpec
from pipeline.models.provenance import starting_point


def spec(encoder: str, weights: str | None) -> ModelSpec:
    return ModelSpec(decoder="unet", encoder=encoder, weights=weights)


@pytest.mark.parametrize("named", ["", "resnet18.safetensors"], ids=["folder", "file"])
def test_other_bytes_in_the_file_or_folder_of_weights_are_noticed(
    tmp_path: Path, named: str
) -> None:
    wanted = spec("resnet18", str(tmp_path / named))
    nothing = starting_point(wanted)
    (tmp_path / "resnet18.safetensors").write_bytes(b"1")
    before = starting_point(wanted)
    (tmp_path / "resnet18.safetensors").write_bytes(b"22")
    assert len({str(each) for each in (nothing, before, starting_point(wanted))}) == 3
    (tmp_path / "resnet34.safetensors").write_bytes(b"of another encoder")
    assert starting_point(wanted) != before


def test_both_networks_of_a_stitched_encoder_are_told() -> None:
    found = starting_point(spec("resnet18[:2] + resnet34[2:]", None))
    assert found == {name: {"weights": None, "code": None} for name in ("resnet18", "resnet34")}


def test_pretrained_names_the_weights_and_the_version_that_would_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = starting_point(spec("resnet18", "pretrained"))
    assert before != starting_point(spec("resnet18", None))
    assert before != starting_point(spec("resnet18.tv_in1k", "pretrained"))
    monkeypatch.setattr(timm, "__version__", "99")
    assert starting_point(spec("resnet18", "pretrained")) != before


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package whose factory uses a module beside it and one of another package."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("")
    (tmp_path / "mine/nets.py").write_text(
        "import os\nimport torch\nfrom . import blocks\ndef make():\n    from helpers import x\n"
    )
    (tmp_path / "mine/blocks.py").write_text("WIDTH = 8\n")
    (tmp_path / "helpers.py").write_text("x = 1\n")
    (tmp_path / "unrelated.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mine", "mine.nets", "mine.blocks", "helpers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "noticed"),
    [
        ("mine/nets.py", True),
        ("mine/blocks.py", True),
        ("mine/__init__.py", True),
        ("helpers.py", True),
        ("unrelated.py", False),
    ],
)
def test_changed_code_of_a_factory_is_noticed(factory: Path, changed: str, noticed: bool) -> None:
    wanted = spec("mine.nets:make", "pretrained")
    before = starting_point(wanted)
    (factory / changed).write_text("# changed\n" + (factory / changed).read_text())
    assert (starting_point(wanted) != before) == noticed


def test_a_factory_of_an_installed_package_is_told_by_its_version() -> None:
    code = starting_point(spec("timm.models.resnet:resnet18", "pretrained"))
    assert code["timm.models.resnet:resnet18"]["code"] == {"timm": timm.__version__}
