"""The section on bands: what is drawn of which pixels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pipeline.config import build_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.image_sources.registry import image_source
from pipeline.reports.band_histograms import MOST_BANDS, band_histograms
from pipeline.stages.parts.report_bands import sampled, sections
from tests.helpers.data_folders import config, save
from tests.helpers.kelp import BANDS, draw_kelp, kelp_experiment


def _sections(experiment: Any) -> Any:
    survey = SimpleNamespace(catalog=list_samples(experiment.data))
    return sections(cast(Any, SimpleNamespace(experiment=experiment)), cast(Any, survey))


def test_train_and_test_are_told_apart_band_by_band(tmp_path: Path) -> None:
    draw_kelp(tmp_path, count=3, test=2)
    for path in (tmp_path / "test").iterdir():
        scene = np.load(path)
        scene[..., 1] = 5  # another scale of one band
        np.save(path, scene)
    (section,) = _sections(build_experiment(kelp_experiment(tmp_path), source="x"))
    assert "of 3 of 3 train images and 2 of 2 test images" in section.text
    rows = {(row[0], row[1]): row[2:] for row in section.table.rows}
    assert {band for band, _ in rows} == {*BANDS, "ndvi"}
    assert rows["nir", "test"][:3] == ["5", "5", "5"] and float(rows["nir", "train"][1]) > 300
    assert rows["red", "train"][3] == "2.1%", "12×16 of 48×64 pixels of one scene in three"
    assert len(section.figures) == 1 and section.figures[0].uri.startswith("data:image/")


def test_stacks_have_their_own_bands_and_rgb_has_no_section(tmp_path: Path) -> None:
    draw_kelp(tmp_path, count=2, test=1)
    stack = {"of": "^(k)", "position": r"(\d+)$"}
    raw = kelp_experiment(tmp_path, data={"stack": stack, "test": None})
    (section,) = _sections(build_experiment(raw, source="x"))
    assert [row[0] for row in section.table.rows] == [*BANDS, "ndvi"]
    save(tmp_path / "images/a.png", np.zeros((4, 4, 3), np.uint8))
    assert _sections(SimpleNamespace(data=config(tmp_path))) == []


def test_pixels_are_taken_on_an_even_grid(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(200 * 130, dtype=np.int32).reshape(200, 130))
    source = image_source(config(tmp_path, images="{id}.npy", bands=["x"]))
    found = sampled(tmp_path / "a.npy", source)[:, 0].astype(int)
    rows, columns = np.unique(found // 130), np.unique(found % 130)
    assert len(rows) == 50 and set(np.diff(rows)) == {4} and len(columns) == 43
    assert len(found) == len(rows) * len(columns)
    np.save(tmp_path / "b.npy", np.zeros((3, 2), np.int32))
    assert len(sampled(tmp_path / "b.npy", source)) == 6


def test_a_histogram_holds_shares_and_bears_odd_bands() -> None:
    values = np.random.default_rng(0).normal(0, 1, 4000).astype(np.float32)
    odd = {"none": values[:0], "constant": values[:50] * 0 + 3}
    bands = {f"b{number}": {"train": values, "test": values[:200] + 2} for number in range(20)}
    bands["b1"] = {"train": odd["none"], "test": odd["constant"]}
    figure = band_histograms({**bands, "late": {"train": odd["none"]}})
    assert len(figure.axes) == MOST_BANDS
    stairs = [patch.get_data().values for patch in figure.axes[0].patches[:1]]  # type: ignore[attr-defined]
    assert 0.95 < float(np.sum(stairs[0])) <= 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "test"]
