"""Each preset on a miniature of its competition, up to a submission that keeps the rules."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import open_run
from pipeline.config import load_experiment
from pipeline.data.catalog import list_samples
from tests.helpers.competition_layouts import SIZE, disc
from tests.helpers.competitions import TINY
from tests.helpers.decided import send
from tests.presets.miniatures import MINIATURES as FIRST
from tests.presets.more_miniatures import MORE_MINIATURES
from tests.presets.more_rules import (
    ClassColumnRules,
    FileRules,
    ForgeryRules,
    ResultRules,
    ScoredRules,
)
from tests.presets.rules import Rules

MINIATURES = {**FIRST, **MORE_MINIATURES}

FOLDER = Path(__file__).parents[2] / "configs" / "presets"
PIXELS = ["ImageId", "EncodedPixels"]
TESTS = ("t1", "t2")
CLOUDS = ("Fish", "Flower", "Gravel", "Sugar")
VESSELS = [f"{kidney}_{n:04d}" for kidney in ("kidney_5", "kidney_6") for n in range(3)]
ORGANS = ("large_bowel", "small_bowel", "stomach")
THINGS = set(range(1, 91)) - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
RULES: dict[str, Any] = {
    "ade20k": FileRules(
        ["ADE_test_00000001.png", "ADE_test_00000002.png"], SIZE, set(range(1, 151)), ".zip"
    ),
    "airbus": Rules(PIXELS, ["t1.jpg", "t2.jpg"], SIZE, objects=True),
    "carvana": Rules(["img", "rle_mask"], ["ffa9_01.jpg", "ffa9_02.jpg"], SIZE),
    "dsb2018": Rules(PIXELS, ["t1", "t2"], SIZE, objects=True),
    "hubmap-kidney": Rules(["id", "predicted"], ["t1", "t2"], SIZE),
    "hubmap-organ": Rules(["id", "rle"], ["10078"], SIZE),
    "sartorius": Rules(["id", "predicted"], ["t1", "t2"], SIZE, objects=True),
    "screen-defects": FileRules(["t1.png", "t2.png"], SIZE, {0, 255}, ".zip"),
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
    "camvid": FileRules(["0016E5_00001.png", "0016E5_00002.png"], SIZE, set(range(11))),
    "cloud-cover": FileRules(["t1.tif", "t2.tif"], SIZE, {0, 1}),
    "coco-stuff": ResultRules([1, 16], THINGS | set(range(92, 183)), SIZE, once=True),
    "coco-things": ResultRules([1, 16], THINGS, SIZE),
    "contrails": Rules(["record_id", "encoded_pixels"], ["9009", "9008"], SIZE, empty="-"),
    "deepfashion2": ResultRules([1, 2], set(range(1, 14)), SIZE),
    "hubmap-vasculature": ScoredRules(["t2", "72e40acccadf"], SIZE),
    "kelp": FileRules(["TA001_kelp.tif", "TB002_kelp.tif"], SIZE, {0, 1}, ".tar"),
    "recodai-forgery": ForgeryRules(["46", "45"], SIZE),
    "stac-overflow": FileRules(["t1.tif", "t2.tif"], SIZE, {0, 1}),
    "uw-madison": ClassColumnRules(
        [(f"case101_day3_slice_{n:04d}", organ) for n in (1, 2) for organ in ORGANS], SIZE
    ),
    "vesuvius-surface": FileRules(["t1.tif", "t2.tif"], (4, *SIZE), {0, 1}, ".zip"),
}
MANY_CLASSES = 30
QUICK = ("airbus",)


def _small(slug: str) -> dict[str, Any]:
    """The preset with a small network, and a training of two steps."""
    raw: dict[str, Any] = yaml.safe_load((FOLDER / f"{slug}.yaml").read_text())
    first = next(iter(raw["models"].values()))
    kept = {key: first[key] for key in ("auxiliary", "input") if key in first}
    if "resize" in kept.get("input", {}):
        kept["input"] = {**kept["input"], "resize": [48, 64]}
    raw["models"] = {"a": {"decoder": "linknet", **TINY, **kept}}
    raw["folds"] = {"count": 2}
    train = {"size": [32, 32], "batch": 2, "steps": 2, "epochs": 1, "workers": 0, "lr": 3e-3}
    raw["train"] = {**raw.get("train", {}), **train, "ema": None}
    raw["infer"] = {**raw.get("infer", {}), "tta": ["identity"]}
    if isinstance(raw.get("input", {}).get("resize"), list):
        raw["input"]["resize"] = [48, 64]
    if len(raw["data"]["classes"]) > MANY_CLASSES:
        raw["ensemble"] = {"threshold": 0.5}  # to search one for each takes minutes
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


@pytest.mark.parametrize("slug", sorted(RULES))
def test_drawn_masks_keep_the_rules(slug: str, tmp_path: Path) -> None:
    """As they would be after a perfect training; the host's reader finds each of their pixels."""
    MINIATURES[slug](tmp_path / "data")
    chosen = load_experiment(FOLDER / f"{slug}.yaml", data=str(tmp_path / "data"))
    ids, masks = [each.id for each in list_samples(chosen.data).test], {}
    for at, each in enumerate(ids):
        inside = disc(at)[1]
        planes = np.zeros((len(chosen.data.classes), *SIZE), bool)
        planes[0], planes[-1] = inside == 1, inside == 2
        if chosen.data.multiclass:
            planes[0] = inside != 2
        masks[each] = planes
    covered = RULES[slug].check(send(chosen, masks, tmp_path))
    if chosen.submission.size is None:
        first = chosen.data.class_values[chosen.data.class_names[0]]
        counted = isinstance(RULES[slug], FileRules) and first == 0  # zeros are not counted
        assert covered == sum(int(planes[counted:].sum()) for planes in masks.values()) > 0


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
