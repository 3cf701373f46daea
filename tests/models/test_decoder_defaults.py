from __future__ import annotations

import json

import pytest

from pipeline.models.decoders.registry import DECODERS
from tests.helpers.decoder_defaults import RECORD, described

RECORDED = json.loads(RECORD.read_text())


def test_every_decoder_is_recorded() -> None:
    assert list(RECORDED) == sorted(RECORDED, key=list(DECODERS).index)
    assert set(RECORDED) == set(DECODERS)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoder_without_options_stays_as_it_is(decoder: str) -> None:
    """Weights that were trained with it still load, and answer as they did."""
    now, recorded = described(decoder), RECORDED[decoder]
    assert now["tensors"] == recorded["tensors"]
    assert now["logits"] == pytest.approx(recorded["logits"], rel=1e-3)
