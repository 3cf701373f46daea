"""What is proposed agrees with the experiments that were written by hand for the same folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import DataConfig, load_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.groups import groups_of
from pipeline.demo.screens.competition import draw_screens
from pipeline.demo.turntable.competition import draw_turntable
from pipeline.proposal.proposal import propose
from tests.helpers.shared_data import shared_data

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SAME = ("images", "masks", "test", "reference", "test_reference", "multiclass", "void")


def agrees(root: Path, config: str) -> None:
    written = load_experiment(CONFIGS / config, data=str(root)).data
    proposed = DataConfig.model_validate(propose(root).raw["data"])
    assert {key: getattr(proposed, key) for key in SAME} == {
        key: getattr(written, key) for key in SAME
    }
    assert list(proposed.classes.values()) == list(written.classes.values())
    ids = [each.id for each in list_samples(written).train]
    parts = [groups_of(ids, each) for each in (proposed, written)]
    pairs = {(parts[0][each], parts[1][each]) for each in ids}
    assert len(pairs) == len(set(parts[0].values())) == len(set(parts[1].values()))


@pytest.mark.parametrize(
    "name", ["camvid", "magtile", pytest.param("dsb2018", marks=pytest.mark.slow)]
)
def test_a_real_folder(name: str) -> None:
    agrees(shared_data(name), f"{name}.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deeppcb", "deeppcb_ecc"])
def test_real_references(name: str) -> None:
    """There is no experiment for these; their page says what is where."""
    data = propose(shared_data(name)).raw["data"]
    ending = "jpg" if name == "deeppcb" else "png"
    assert data["images"] == f"train/{{id}}.{ending}"
    assert data["masks"] == "train_masks/{id}.png"
    assert data["reference"] == f"train_refs/{{id}}.{ending}"
    assert data["test_reference"] == f"test_refs/{{id}}.{ending}"
    assert data["group"] == {"csv": "groups.csv"}
    assert data["classes"] == [f"class_{value}" for value in range(1, 7)]


def test_the_first_demo(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    draw_turntable(root, train_cars=5, test_cars=2, views=3, size=(48, 64))
    agrees(root, "demo.yaml")
    written = load_experiment(CONFIGS / "demo.yaml").submission
    proposed = propose(root).raw["submission"]
    assert proposed == {
        "sample": str(written.sample),
        "columns": list(written.columns),
        "rows": written.rows,
        "key": written.key,
        "order": written.order,
    }


def test_the_second_demo(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    draw_screens(root, train_screens=3, test_screens=2, shots=2, photo=(64, 64), reference=(96, 96))
    agrees(root, "demo_reference.yaml")
