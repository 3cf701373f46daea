from __future__ import annotations

import pytest

from benchmarks.encoder_survey import (
    DECODERS,
    OK,
    count_macs,
    families,
    markdown,
    shape_verdict,
    survey,
)


def test_a_row_says_what_there_is_to_say() -> None:
    row = survey("convnext", "test_convnext", sizes=[(40, 52)])
    assert row.verdicts == (OK,) * len(DECODERS)
    assert row.levels == (4, 8, 16, 32)
    assert row.fed == "as they are"
    assert row.parameters > 0
    assert "test_convnext" in list(markdown([row]))[2]


def test_macs_are_counted_at_256() -> None:
    """The convolutions of ResNet-18 come to 1.8 G at 224 (He et al. 2016), so to 2.37 G at 256."""
    assert count_macs("resnet18") == pytest.approx(2.37e9, rel=0.02)


@pytest.mark.parametrize("name", ["test_vit", "inception_v3"])
def test_shapes_need_no_computing(name: str) -> None:
    assert shape_verdict(name, "linknet") == OK


def test_a_failure_is_a_row_with_its_reason() -> None:
    row = survey("none", "torch.nn:Identity", sizes=[(32, 32)])
    assert "no feature maps" in row.verdicts[0]


@pytest.mark.slow
def test_every_family_grafts_everywhere() -> None:
    failures = {
        model: row.verdicts
        for family, model in families()
        if set((row := survey(family, model)).verdicts) != {OK}
    }
    assert not failures
