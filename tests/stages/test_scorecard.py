"""What the scorecard says below its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.stages import ensemble, scorecard
from tests.helpers.competitions import context, draw_discs, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8)
    ensemble.run(context(root, workspace, data={"test": None}, train={"epochs": 1}))
    return root, workspace


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blend", "better"), [(0.4, ["a 0.50000", "b 0.60000"]), (0.55, ["b 0.60000"]), (0.6, [])]
)
def test_a_model_that_holds_better_than_the_blend_is_named(
    copied: tuple[Path, Path], blend: float, better: list[str]
) -> None:
    root, workspace = copied
    stage = context(root, workspace, data={"test": None}, train={"epochs": 1})
    chosen = ensemble.run(stage)
    chosen.facts["score"]["nested"] = blend
    for name, nested in [("a", 0.5), ("b", 0.6)]:
        chosen.facts["models"][name]["nested"] = nested
    scorecard.run(stage)
    lines = [line for line in said(stage).splitlines() if line.startswith("better than the blend")]
    assert len(lines) == bool(better)
    assert all(each in lines[0] for each in better)
