"""What no experiment can mean is one error with its key: numbers, names, paths, bombs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import build_experiment, load_experiment
from pipeline.config.reading import parse_yaml
from pipeline.data import groups
from pipeline.data.groups import groups_of
from pipeline.errors import ConfigError, DataError
from pipeline.known_names import name_checks
from pipeline.workspace import Workspace
from tests.helpers.experiments import MINIMAL, experiment, raw

MODEL = {"decoder": "unet", "encoder": "resnet18"}
HUGE: list[Any] = [-1, 10**30, -(10**30), 10**400, 1e308, float("nan"), float("inf"), True, "x"]
NUMBERS = [
    "train.batch", "train.epochs", "train.steps", "train.lr", "train.weight_decay", "train.warmup",
    "train.clip", "train.loss.bce", "train.ema", "train.workers", "train.cache", "train.seed",
    "input.resize", "train.size.0", "train.augment.rotate", "train.augment.affine",
    "train.augment.reference_jitter.shift", "infer.batch", "infer.tile.size.1",
    "infer.tile.overlap", "folds.count", "folds.seed", "folds.use.0", "align.max_rotation",
    "align.max_scale", "align.min_correlation", "align.max_uncertainty", "align.iterations",
    "data.void", "data.classes.car", "data.frame.scale", "data.frame.pad",
    "ensemble.threshold", "ensemble.weights.a", "submission.size.0",
]  # fmt: skip


@pytest.mark.parametrize("size", [[16, 64], [64, 31], [1, 1]])
def test_a_crop_too_small_for_any_network_is_one_error(size: list[int]) -> None:
    assert "train.size" in mistake(raw(train={"size": size}))
    model = {**MODEL, "train": {"size": size}}
    assert "models.a.train.size" in mistake(raw(models={"a": model}))


def mistake(raw_: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        build_experiment(raw_, source="x.yaml", checks=name_checks())
    return str(caught.value)


def nested(key: str, value: Any) -> dict[str, Any]:
    """The smallest experiment with the value at the key; a number in it is a place in a pair."""
    block, *rest = key.split(".")
    for part in reversed(rest):
        value = [value, 8] if part == "0" else [8, value] if part == "1" else {part: value}
    if key == "folds.use.0":
        value = {"use": value["use"][:1]}
    if key == "infer.tile.overlap":
        value = {"tile": {"size": [8, 8], **value["tile"]}}
    return raw(**{block: value})


@pytest.mark.parametrize("value", HUGE, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("key", NUMBERS)
def test_numbers_out_of_any_range_are_named(key: str, value: Any) -> None:
    said = mistake(nested(key, value))
    block = key.rpartition(".")[0] if value is True else key.removesuffix(".0").removesuffix(".1")
    assert block in said
    assert len(said) < 2000


@pytest.mark.parametrize("key", ["train.size", "infer.tile", "submission.size", "input.resize"])
@pytest.mark.parametrize(
    "size", [[0, 0], [-5, 5], [200_000, 200_000], [65_536, 65_536], [8], [8, 8, 8], [8.5, 8]]
)
def test_sizes_are_pixels_that_fit_into_memory(key: str, size: list[Any]) -> None:
    block, name = key.split(".")
    assert key in mistake(raw(**{block: {name: size}}))
    table = {"csv": "m.csv", "size": size}
    assert "data.masks.size" in mistake(raw(data={"masks": table}))


def test_the_names_of_a_run_are_no_models() -> None:
    own = [*Workspace.folders_of_a_run(), "ensemble"]
    assert {"blend", "aligned"} <= set(own)
    for name in [*own, *map(str.title, own), "ALIGNED", ".locks", "a/b", "..", "a\0", ""]:
        assert "models" in mistake(raw(models={name: MODEL}))
    assert "a, A: differ only in case" in mistake(raw(models={"a": MODEL, "A": MODEL}))


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "x" * 5000, "\udcff"])
@pytest.mark.parametrize(
    "key",
    ["name", "data.root", "data.images", "data.test", "data.group", "data.masks", "data.drop",
     "data.classes", "submission.sample", "submission.empty", "infer.tta", "metric",
     "ensemble.postprocess"],
)  # fmt: skip
def test_text_that_no_file_can_hold_is_named(key: str, text: str) -> None:
    block, _, name = key.partition(".")
    listed = name in ("drop", "classes", "tta", "postprocess")
    said = mistake(raw(**({block: {name: [text] if listed else text}} if name else {block: text})))
    assert key in said
    said.encode()  # and the message itself fits any terminal


@pytest.mark.parametrize("key", ["root", "images", "masks", "test"])
def test_names_longer_than_a_file_system_takes(key: str) -> None:
    said = mistake(raw(data={key: f"{'ä' * 128}/{{id}}.png"}))
    assert f"data.{key}" in said and "256 bytes" in said


@pytest.mark.parametrize("pattern", ["(", "(?P<a", "a{99999999999}(b)", "(" * 900 + ")" * 900, "["])
def test_a_regex_that_is_none_is_named(pattern: str) -> None:
    assert "data.group: " in mistake(raw(data={"group": pattern}))


def test_a_regex_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "PATIENCE_S", 0.3)
    data = experiment(data={"group": "^(a+)+$"}).data
    started = time.monotonic()
    with pytest.raises(DataError, match=r"data\.group: .*nested repeats"):
        groups_of(["a" * 40 + "!"], data)
    assert time.monotonic() - started < 20
    assert groups_of(["aaa"], data) == {"aaa": "aaa"}


def test_patterns_with_many_ways_to_match_are_refused() -> None:
    assert "more than 4" in mistake(raw(data={"images": "*a*a*a*a*{id}.png"}))


@pytest.mark.parametrize(
    "tta",
    ["+".join(["d4"] * 8), "+".join(["hflip"] * 5000), "scale:4+scale:4", "flips+d4+flips+d4"],
)
def test_views_do_not_multiply(tta: str) -> None:
    started = time.monotonic()
    assert "infer.tta" in mistake(raw(infer={"tta": [tta]}))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", ["..:f", ":f", "a:", "a b:c", "a:b:c", "a..b:c", "1:f", "x" * 999])
def test_a_factory_that_is_no_name_is_refused_before_it_is_looked_for(name: str) -> None:
    assert "encoder" in mistake(raw(models={"a": {"decoder": "unet", "encoder": name}}))


def test_unknown_demos_and_columns_named_twice_are_mistakes_like_others() -> None:
    said = mistake(raw(demo="turntabel", submission={"columns": ["a", "a"]}))
    assert "did you mean turntable" in said and "'a' is used for two things" in said


def bomb(depth: int, width: int = 9) -> str:
    levels = [f"z{n}: &z{n} {{<<: [{', '.join([f'*z{n - 1}'] * width)}]}}" for n in range(1, depth)]
    return "z0: &z0 {k: x}\n" + "\n".join(levels)


@pytest.mark.parametrize(
    "text",
    [
        bomb(20),
        bomb(3, 5000),
        "a: &a {" + ", ".join(f"k{n}: 1" for n in range(3000)) + "}\nb: {<<: ["
        + ", ".join(["*a"] * 3000) + "]}",
        "a: &a {<<: *a}",
        "a: &a [*a]",
        "x: " + "[" * 200_000,
        "x: " + "{a: " * 2000,
        "- " * 3000,
        "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000)),
        f"a: &a {'x' * 100_000}\nb: [" + ", ".join(["*a"] * 5000) + "]",
        "\n".join(f"k{n}: {{a: 1, b: 2}}" for n in range(9_000)),
        "x: " + ":".join(["1"] * 300) + ".5",
        'x: "\\UFFFFFFFF"',
    ],
    ids=lambda text: text[:18],
)  # fmt: skip
def test_small_texts_do_not_grow(text: str) -> None:
    started = time.process_time()
    try:
        value = parse_yaml(text, "x.yaml")
    except ConfigError as error:
        assert "x.yaml" in str(error) and len(str(error)) < 2000
    else:
        assert len(repr(value)) < 10 * len(text)
    assert time.process_time() - started < 20


def test_merging_keeps_the_first_of_several_and_its_own_above_all() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\nd: {z: 0, <<: *b}"
    parsed = parse_yaml(text, "x.yaml")
    assert parsed["c"] == {"x": 1, "y": 1, "z": 3} and parsed["d"] == {"y": 2, "z": 0}
    with pytest.raises(ConfigError, match="takes mappings only"):
        parse_yaml("a: {<<: [1]}", "x.yaml")


def test_an_override_of_one_model_leaves_its_alias_alone(tmp_path: Path) -> None:
    text = MINIMAL.replace("a: {", "a: &a {").replace("resnet18}", "resnet18, train: {lr: 1}}")
    (tmp_path / "x.yaml").write_text(text + "  b: *a\n")
    loaded = load_experiment(tmp_path / "x.yaml", overrides=["models.a.train.lr=2"])
    assert (loaded.models["a"].train.lr, loaded.models["b"].train.lr) == (2, 1)


def test_a_chain_of_hundreds_of_files_is_one_error(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    with pytest.raises(ConfigError, match="more than 100 files"):
        load_experiment(tmp_path / "0.yaml")


@pytest.mark.parametrize(
    "base", [".", "x" * 300, "'a\\0b'", '"a\\0b"', '"\\ud800"', "''", "/dev/zero"]
)
def test_extends_of_what_is_no_file(base: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"extends: {base}\n")
    with pytest.raises(ConfigError, match=r"x\.yaml: extends: "):
        load_experiment(tmp_path / "x.yaml")


def test_a_link_to_itself_is_no_experiment(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").symlink_to("x.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_experiment(tmp_path / "x.yaml")


def test_many_models_and_keys_do_not_multiply() -> None:
    models = {f"m{number}": MODEL for number in range(150)}
    train = {f"k{number}": 1 for number in range(700)}
    started = time.process_time()
    assert "too many values" in mistake(raw(models=models, train=train))
    assert "models" in mistake(raw(models={f"m{number}": MODEL for number in range(201)}))
    lines = mistake(raw(train=train)).splitlines()
    assert lines[-1] == "  … and 500 more" and len(lines) < 300
    assert time.process_time() - started < 60


@pytest.mark.parametrize("override", ["a." * 3000 + "b=1", "x" * 9000, "a=" + "[" * 9000])
def test_odd_overrides_are_one_short_error(override: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(MINIMAL)
    with pytest.raises(ConfigError) as caught:
        load_experiment(tmp_path / "x.yaml", overrides=[override])
    assert len(str(caught.value)) < 2000
