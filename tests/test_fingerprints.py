"""Upgrades must not retrain anybody's models, unless numbers change and a version says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from pipeline.config import TrainConfig
from pipeline.manifests import fingerprint
from tests.helpers.golden import PATH, golden, sorted_blocks

REMEDY = "bump the VERSION of what is made from it, then run python -m tests.helpers.golden"


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("block", sorted_blocks(), ids=lambda block: block.__name__)
def test_a_new_key_at_its_default_changes_no_fingerprint(block: type[BaseModel]) -> None:
    required = {name: "x" for name, field in block.model_fields.items() if field.is_required()}
    before = block.model_construct(**required)
    wider = create_model("Wider", __base__=block, new=(int, 3))
    assert fingerprint(wider.model_construct(**required)) == fingerprint(before)
    assert fingerprint(wider.model_construct(**required, new=4)) != fingerprint(before)


def test_a_default_that_is_written_down_is_the_default() -> None:
    assert fingerprint(TrainConfig(batch=8, augment={})) == fingerprint(TrainConfig())
    assert fingerprint(TrainConfig(lr=1e-4)) != fingerprint(TrainConfig())
    jittered = TrainConfig(augment={"reference_jitter": {"shift": 1}})
    assert fingerprint(jittered) != fingerprint(TrainConfig())


def test_no_default_changes_without_a_word() -> None:
    """A new key may come; the default of an old one needs a version that is bumped."""
    written, now = json.loads(PATH.read_text())["defaults"], json.loads(json.dumps(golden()))
    present = dict(_leaves(now["defaults"]))
    for key, value in _leaves(written):
        assert present.get(key, "gone") == value, f"the default of {key} was {value!r}: {REMEDY}"


def _leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested blocks by its dotted key; a block without keys is a value."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@pytest.mark.parametrize("part", ["versions", "experiments"])
def test_shipped_experiments_keep_their_fingerprints(
    part: Literal["versions", "experiments"],
) -> None:
    written, now = json.loads(PATH.read_text())[part], json.loads(json.dumps(golden()))[part]
    assert now == written, f"a shipped experiment or a version changed: {REMEDY}"
