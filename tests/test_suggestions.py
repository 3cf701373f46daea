from __future__ import annotations

import pytest
import timm

from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.factory import build_model
from pipeline.suggestions import check_name, nearest_names


def test_nearest_names_are_the_most_alike_first() -> None:
    assert nearest_names("resnt34", ["vgg16", "resnet34", "resnet18"]) == [
        "resnet34",
        "resnet18",
        "vgg16",
    ]


@pytest.mark.parametrize("typo", ["resnet43", "Inception_v3", "densnet121", "tf_efficientnetlite0"])
def test_the_name_meant_is_among_three(typo: str) -> None:
    meant = {"resnet43": "resnet34", "Inception_v3": "inception_v3", "densnet121": "densenet121"}
    nearest = nearest_names(typo, timm.list_models())
    assert len(nearest) == 3
    assert meant.get(typo, "tf_efficientnet_lite0") in nearest


def test_a_known_name_passes() -> None:
    check_name("encoder", "a", ["a", "b"])


@pytest.mark.parametrize(
    ("decoder", "encoder", "nearest"),
    [("linknet", "resnt34", "resnet34"), ("lnknet", "resnet34", "linknet")],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    decoder: str, encoder: str, nearest: str
) -> None:
    with pytest.raises(ConfigError, match=rf"nearest names are .*{nearest}"):
        build_model(ModelSpec(decoder=decoder, encoder=encoder, weights=None), classes=1)
