"""The page and the schema of all keys are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import Field

from pipeline.config import Experiment
from pipeline.config.base import Block
from pipeline.config.reference import pages
from pipeline.config.schema import blocks_by_name, experiment_schema, field_docs
from pipeline.config.yaml_loader import StrictLoader
from pipeline.execution.cluster.settings import ClusterSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def said_wrong(written: str) -> list[str]:
    """What the schema says is wrong with a YAML text."""
    validator = jsonschema.Draft202012Validator(experiment_schema())
    value = yaml.load(written, StrictLoader)
    return [each.message for each in validator.iter_errors(value)]


@pytest.mark.parametrize("name", sorted(pages()))
def test_pages_are_up_to_date(name: str) -> None:
    remedy = "run python -m pipeline.config.reference docs"
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], remedy


def test_every_key_of_every_block_is_on_the_page() -> None:
    assert ClusterSettings.__name__ not in blocks_by_name()  # of a file of its own
    page = pages()["configuration.md"]
    for block in blocks_by_name().values():
        for name, field in block.model_fields.items():
            assert f"| `{field.alias or name}` |" in page, f"{block.__name__}.{name}"


class Undocumented(Block):
    documented: int = 1
    """It has a docstring."""
    bare: int = Field(2, ge=0)


def test_a_key_without_a_docstring_is_named() -> None:
    with pytest.raises(LookupError, match=r"Undocumented: .*: bare$"):
        field_docs(Undocumented)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(experiment_schema())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_experiments_fit_the_schema(path: Path) -> None:
    assert said_wrong(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "written",
    [
        "train:",
        "models: {unet: null}",
        "infer: {tile: [512, 512]}",
        "infer: {tile: {size: [512, 512], overlap: 0.5}}",
        "data: {classes: [a, 7]}",
        "data: {classes: {a: 3}, masks: {order: row, class: ClassId}}",
        "models: {a: {decoder: vanilla, train: {lr: 1e-3}}}",
        "extends: base.yaml",
    ],
)
def test_the_schema_takes_what_an_experiment_may_say(written: str) -> None:
    assert said_wrong(written) == []


@pytest.mark.parametrize(
    "written",
    [
        "trian: {}",
        "train: {epochs: 0}",
        "train: {resize: 0.5}",
        "infer: {mean: mean}",
        "models: {'a.b': {decoder: unet, encoder: resnet18}}",
        "models: {a: {decoder: unet, encodr: resnet18}}",
        "folds: {count: many}",
    ],
)
def test_the_schema_finds_slips(written: str) -> None:
    assert said_wrong(written)


def test_a_model_inherits_the_global_blocks() -> None:
    model: dict[str, Any] = experiment_schema()["$defs"]["ModelConfig"]
    for block in set(model["properties"]) & set(Experiment.model_fields):
        assert "default" not in model["properties"][block]
