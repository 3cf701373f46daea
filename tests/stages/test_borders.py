"""The borders stage: a row a model and class, with the signs and the repair it proposes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ConfigError
from pipeline.maps import MapShape, MapStore
from pipeline.stages import borders, ensemble, infer
from pipeline.stages.context import StageContext
from tests.helpers.competitions import context, draw_discs

CLASSES = {"classes": ["left", "right"]}
ROWS = {"rows": "class", "key": "{id}_{class}"}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageContext:
    """Two classes, two models: `a` lies 1 px further right, `b` 1 px further down."""
    draw_discs(tmp_path / "data", classes=2)
    stage = context(tmp_path / "data", tmp_path, data=CLASSES, submission=ROWS)
    survey, reader = borders.check.run(stage), borders.align.run(stage)
    stores = {}
    for model, axis in (("a", 2), ("b", 1)):
        samples = survey.catalog.train
        shapes = [MapShape(each.id, 48, 64) for each in samples]
        store = MapStore.create(tmp_path / model, shapes, ["left", "right"], fingerprint="f")
        truths = {each.id: reader.truth(each, (48, 64)).planes for each in samples}
        maps = {key: np.roll(truth, 1, axis).astype(np.float32) for key, truth in truths.items()}
        store.write(maps)
        stores[model] = MapStore.open(store.folder)
    monkeypatch.setattr(infer, "run", lambda _context: infer.Inferred(stores, {}))
    return stage


def test_models_and_blend_are_measured_by_class(stage: StageContext) -> None:
    table = borders.run(stage).set_index(["model", "class"])
    assert set(table.index) == {
        (model, label) for model in ("blend", "a", "b") for label in ("left", "right", "all")
    }
    for label in ("left", "right", "all"):
        row = table.loc["a", label]
        assert row["dx"] == pytest.approx(1, abs=0.1) and row["dy"] == pytest.approx(0, abs=0.1)
        assert table.loc["b", label]["dy"] == pytest.approx(1, abs=0.1)
    assert (table["matched"] > 0.95).all()
    written = pd.read_csv(stage.workspace.borders)
    assert written["dx"].tolist() == pytest.approx(table["dx"].tolist())


@pytest.mark.slow
def test_one_model_is_measured_alone_and_its_repair_named(stage: StageContext) -> None:
    table = borders.run(stage, "a")
    assert table["model"].unique().tolist() == ["a"]
    said = "\n".join(stage.reporter.said)
    assert re.search(r"a: data\.frame=\{scale: \d\.\d+, shift: \[-(1\.0|0\.9)", said), said


@pytest.mark.slow
def test_a_model_that_does_not_exist_is_an_error(stage: StageContext) -> None:
    ensemble.run(stage)
    with pytest.raises(ConfigError, match="MODEL=c: no model 'c'"):
        borders.run(stage, "c")
