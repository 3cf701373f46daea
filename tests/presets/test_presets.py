"""Each preset on a miniature of its competition, up to a submission that keeps the rules."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import open_run
from tests.helpers.competition_layouts import SIZE
from tests.helpers.competitions import TINY
from tests.presets.miniatures import MINIATURES
from tests.presets.rules import Rules

FOLDER = Path(__file__).parents[2] / "configs" / "presets"
PIXELS = ["ImageId", "EncodedPixels"]
TESTS = ("t1", "t2")
CLOUDS = ("Fish", "Flower", "Gravel", "Sugar")
VESSELS = [f"{kidney}_{n:04d}" for kidney in ("kidney_5", "kidney_6") for n in range(3)]
RULES = {
    "airbus": Rules(PIXELS, ["t1.jpg", "t2.jpg"], SIZE, objects=True),
    "carvana": Rules(["img", "rle_mask"], ["ffa9_01.jpg", "ffa9_02.jpg"], SIZE),
    "dsb2018": Rules(PIXELS, ["t1", "t2"], SIZE, objects=True),
    "hubmap-kidney": Rules(["id", "predicted"], ["t1", "t2"], SIZE),
    "hubmap-organ": Rules(["id", "rle"], ["10078"], SIZE),
    "sartorius": Rules(["id", "predicted"], ["t1", "t2"], SIZE, objects=True),
    "screen-defects": Rules(["id", "rle_mask"], ["t1", "t2"], SIZE),
    "sennet-vessels": Rules(["id", "rle"], VESSELS, SIZE, empty="1 0"),
    "severstal": Rules(
        ["ImageId_ClassId", "EncodedPixels"],
        [f"{each}.jpg_{n}" for each, n in product(TESTS, (1, 2, 3, 4))],
        SIZE,
    ),
    "siim-pneumothorax": Rules(PIXELS, ["t1", "t2"], SIZE, empty="-1", relative=True),
    "tgs-salt": Rules(["id", "rle_mask"], ["aaaa1", "bbbb2"], SIZE),
    "understanding-clouds": Rules(
        ["Image_Label", "EncodedPixels"],
        [f"{each}.jpg_{label}" for each, label in product(TESTS, CLOUDS)],
        (350, 525),
    ),
    "vesuvius-ink": Rules(["Id", "Predicted"], ["a", "b"], SIZE),
}
QUICK = ("airbus", "siim-pneumothorax")


def _small(slug: str) -> dict[str, Any]:
    """The preset with a small network, and a training of two steps."""
    raw: dict[str, Any] = yaml.safe_load((FOLDER / f"{slug}.yaml").read_text())
    first = next(iter(raw["models"].values()))
    kept = {key: first[key] for key in ("auxiliary",) if key in first}
    raw["models"] = {"a": {"decoder": "linknet", **TINY, **kept}}
    raw["folds"] = {"count": 2}
    train = {"size": [32, 32], "batch": 2, "steps": 2, "epochs": 1, "workers": 0, "lr": 3e-3}
    raw["train"] = {**raw.get("train", {}), **train, "ema": None}
    raw["infer"] = {**raw.get("infer", {}), "tta": ["identity"]}
    if isinstance(raw.get("input", {}).get("resize"), list):
        raw["input"]["resize"] = [48, 64]
    return raw


def test_each_preset_has_a_miniature() -> None:
    assert sorted(MINIATURES) == sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("slug", sorted(MINIATURES))
def test_check_takes_the_genuine_layout(slug: str, tmp_path: Path) -> None:
    MINIATURES[slug](tmp_path / "data")
    run = open_run(
        FOLDER / f"{slug}.yaml", data=tmp_path / "data", folder=tmp_path, jobs=1, quiet=True
    )
    parts = run.check()["part"]
    assert (parts == "train").sum() >= 3
    assert (parts == "test").any() == (slug in RULES)


@pytest.mark.parametrize(
    "slug",
    [
        slug if slug in QUICK else pytest.param(slug, marks=pytest.mark.slow)
        for slug in sorted(MINIATURES)
    ],
)
def test_a_submission_keeps_the_rules(slug: str, tmp_path: Path) -> None:
    MINIATURES[slug](tmp_path / "data")
    run = open_run(_small(slug), data=tmp_path / "data", folder=tmp_path, jobs=1, quiet=True)
    assert not run.scorecard().empty
    if slug in RULES:
        RULES[slug].check(run.submit())
