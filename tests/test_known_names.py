"""Names are checked in every form that an experiment may write them in."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import build_experiment
from pipeline.errors import ConfigError
from pipeline.known_names import name_checks

EXPERIMENT = {
    "name": "forms",
    "data": {"root": ".", "images": "{id}.png", "masks": "m/{id}.png", "classes": ["x"]},
    "models": {"a": {"decoder": "unet", "encoder": "resnet18"}},
}


def built(**blocks: Any) -> None:
    build_experiment({**EXPERIMENT, **blocks}, source="test", checks=name_checks())


@pytest.mark.parametrize(
    "blocks",
    [
        {"metric": "iou"},
        {"metric": {"name": "fbeta", "beta": 0.5}},
        {"ensemble": {"postprocess": ["fill_holes"]}},
        {"ensemble": {"postprocess": [{"name": "minimum_area", "values": [0.001, 0.01]}]}},
        {"train": {"loss": [{"name": "tversky", "alpha": 0.3, "beta": 0.7}, "bce"]}},
        {"train": {"augment": {"steps": [{"RandomGamma": {"gamma_limit": [80, 120]}, "p": 0.2}]}}},
        {"infer": {"tta": ["d4", "scale:1.25"]}},
    ],
)
def test_every_documented_form_is_taken(blocks: dict[str, Any]) -> None:
    built(**blocks)


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ({"metric": {"name": "fbeta", "betta": 0.5}}, "metric"),
        ({"metric": {"name": "dise"}}, "nearest names are dice"),
        ({"ensemble": {"postprocess": [{"name": "minimum_aera"}]}}, "did you mean minimum_area"),
        ({"ensemble": {"postprocess": [{"name": "minimum_area", "value": 1}]}}, "neither"),
        ({"ensemble": {"postprocess": [{"values": [1]}]}}, "neither"),
        ({"train": {"augment": {"steps": ["RandomGama"]}}}, "nearest names are RandomGamma"),
        ({"infer": {"tta": ["hflipp"]}}, "did you mean .hflip."),
    ],
)
def test_a_wrong_one_is_one_mistake(blocks: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        built(**blocks)
    assert "1 mistake" in str(caught.value)
