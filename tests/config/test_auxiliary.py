"""Mistakes in `auxiliary` are told with their key."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.config import build_experiment
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks
from tests.helpers.experiments import raw


def _problem(outputs: Any, decoder: str = "unet", **blocks: Any) -> str:
    models = {"u": {"decoder": decoder, "encoder": "resnet18", "auxiliary": outputs}}
    with pytest.raises(ConfigError) as error:
        build_experiment(raw(models=models, **blocks), source="x.yaml", checks=name_checks())
    return str(error.value)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([{"name": "deep_supervison"}], "models.u.auxiliary: .*did you mean deep_supervision"),
        (["centre"], "models.u.auxiliary: .*must be a mapping such as"),
        ([{"weight": 1}], "models.u.auxiliary: .*must be a mapping such as"),
        ([{"name": "centre", "weight": -1}], r"models.u.auxiliary\[0\].weight: -1: "),
        ([{"name": "centre", "weight": 0}], r"models.u.auxiliary\[0\].weight: 0: .*leave it out"),
        ([{"name": "centre", "sigm": 1}], r"models.u.auxiliary\[0\].sigm: no such key.*sigma"),
        ([{"name": "boundary", "width": 0}], r"models.u.auxiliary\[0\].width: 0"),
        (
            [{"name": "deep_supervision", "levels": 5}],
            r"auxiliary\[0\].levels: 5: decoder unet has 4",
        ),
        ([{"name": "presence"}, {"name": "presence"}], "presence stands twice"),
        ([{"name": "column"}], r"models.u.auxiliary\[0\].column: is required"),
        ([{"name": "column", "column": "d"}], r"models.u.auxiliary\[0\].csv: data.group names no"),
        ([{"name": "column", "column": "d", "as": "x"}], r"auxiliary\[0\].as: 'x'"),
        ([{"name": "column", "column": "d", "id": "d"}], "'d' is used for two things"),
    ],
)
def test_a_mistake_is_told_with_its_key(outputs: Any, said: str) -> None:
    problem = _problem(outputs)
    assert re.search(said, problem), problem
    assert problem.startswith("x.yaml has 1 mistake(s):"), "one mistake is told once"


def test_a_decoder_without_levels_names_those_that_have_some() -> None:
    problem = _problem([{"name": "deep_supervision"}], "pspnet")
    assert "models.u.auxiliary[0]: decoder pspnet" in problem and "unet 4" in problem
    problem = _problem([{"name": "deep_supervision"}], "deeplabv3plus")
    assert "set levels: 1" in problem


def test_a_column_is_not_mixed() -> None:
    column = {"name": "column", "column": "d", "csv": "t.csv"}
    problem = _problem([column], train={"augment": {"cutmix": 0.5}})
    assert "models.u.auxiliary[0]: a column is about a whole image" in problem


def test_a_column_is_not_mixed_in_any_stage() -> None:
    column = {"name": "column", "column": "d", "csv": "t.csv"}
    stages = [{"steps": 2}, {"steps": 2, "augment": {"mixup": 0.5}}]
    problem = _problem([column], train={"stages": stages})
    assert "models.u.auxiliary[0]: a column" in problem and "train.stages[1].augment" in problem
