"""The align stage: a row and a picture a pair, made once, seen by the reader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.data.catalog import Catalog, Sample
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.inspection import Record
from pipeline.data.samples import SampleReader, aligned_path
from pipeline.errors import DataError
from pipeline.reports.html import Headline, Report, render_report
from pipeline.stages import align, check, folds
from pipeline.stages.context import StageContext
from pipeline.stages.parts import report_alignment
from pipeline.stages.parts.member_jobs import made_from
from tests.helpers.competitions import context

SHIFT = np.array([[1, 0, 4.0], [0, 1, -3.0]])


def _draw(root: Path, count: int = 4, test: int = 2) -> None:
    """Textured images, and references that are the same scene moved by SHIFT."""
    random = np.random.default_rng(0)
    for part, number in (("images", count), ("test", test)):
        for position in range(number):
            scene = random.integers(0, 255, (160, 160), dtype=np.uint8)
            scene = cv2.GaussianBlur(scene, (0, 0), 2.0)
            scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
            moved = cv2.warpAffine(scene, SHIFT, (160, 160), borderMode=cv2.BORDER_REFLECT_101)
            name = f"{part[0]}{position}_0.png"
            _save(root / part / name, np.repeat(scene[16:144, 16:144, None], 3, axis=2))
            _save(root / f"{part}_refs" / name, moved[16:144, 16:144])
            if part == "images":
                _save(root / "masks" / name, np.eye(128, dtype=np.uint8))


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _context(root: Path, workspace: Path, **settings: Any) -> StageContext:
    data = {"reference": "images_refs/{id}.png", "test_reference": "test_refs/{id}.png"}
    return context(root, workspace, data=data, align=settings)


def test_references_come_onto_their_images_once(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    stage = _context(tmp_path / "data", tmp_path)
    reader = align.run(stage)
    table = pd.read_csv(stage.workspace.alignment, dtype={"id": str})
    assert table.columns.tolist()[:8] == [
        "id", "part", "status", "motion", "cc_before", "cc_after", "corner_px", "seconds",
    ]  # fmt: skip
    assert len(table) == 6 and (table["status"] == "ok").all()
    np.testing.assert_allclose(table["w02"], 4.0, atol=0.3)
    np.testing.assert_allclose(table["w12"], -3.0, atol=0.3)
    sample = check.run(stage).catalog.train[0]
    seen = reader.image(sample)
    assert seen.shape == (128, 128, 6)
    inner = seen[16:-16, 16:-16].astype(int)
    assert np.abs(inner[..., :3] - inner[..., 3:]).mean() < 4


def test_the_report_measures_from_the_reference_as_exif_turns_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.new("L", (40, 24)).save(path, exif=exif)
    survey = check.Survey(Catalog((), (), (), ()), (Record("a", "train", "", "", 40, 24),), {})
    sample = Sample("a", path, reference=path)
    moved = report_alignment.displacement(sample, np.eye(3), survey, RgbImages(turn=True))
    assert moved == pytest.approx(0)
    assert report_alignment.displacement(sample, np.eye(3), survey, RgbImages(turn=False)) > 5


def test_only_a_pair_that_is_missing_is_aligned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _draw(tmp_path / "data")
    first = _context(tmp_path / "data", tmp_path)
    align.run(first)
    again: list[float] = []
    real = align.align
    monkeypatch.setattr(
        align, "align", lambda image, *r: (again.append(image.sum()), real(image, *r))[1]
    )
    align.run(_context(tmp_path / "data", tmp_path))
    assert again == []
    sample = check.run(first).catalog.train[1]
    aligned_path(first.workspace.aligned_references, sample, RgbImages()).unlink()
    first.workspace.alignment_manifest.unlink()
    align.run(_context(tmp_path / "data", tmp_path))
    assert again == [RgbImages().read(sample.image).sum()]


def _reader_of(root: Path, workspace: Path, **settings: Any) -> tuple[StageContext, SampleReader]:
    stage = _context(root, workspace, **settings)
    return stage, align.run(stage)


def _table(stage: StageContext) -> pd.DataFrame:
    return pd.read_csv(stage.workspace.alignment, dtype={"id": str}, index_col="id")


def test_a_missing_reference_may_be_done_without(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    (tmp_path / "data/images_refs/i2_0.png").unlink()
    stage, reader = _reader_of(tmp_path / "data", tmp_path, missing="image")
    status = _table(stage)["status"]
    assert status["i2_0"] == "no reference" and (status.drop("i2_0") == "ok").all()
    seen = reader.image(check.run(stage).catalog.by_id["train"]["i2_0"])
    assert seen.shape == (128, 128, 6)
    assert (seen[..., 3:] == RgbImages.blank).all() and seen[..., :3].std() > 10


def test_a_reference_identical_to_the_image_is_taken_as_it_is(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    shutil.copy(tmp_path / "data/images/i1_0.png", tmp_path / "data/images_refs/i1_0.png")
    stage, reader = _reader_of(tmp_path / "data", tmp_path)
    row = _table(stage).loc["i1_0"]
    assert row["status"] == "ok" and row["corner_px"] == 0 and row["w02"] == 0
    seen = reader.image(check.run(stage).catalog.by_id["train"]["i1_0"])
    assert (seen[..., :3] == seen[..., 3:]).all()
    notes = {record.id: record.note for record in check.run(stage).records}
    assert "identical" in notes["i1_0"] and "identical" not in notes["i0_0"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_references_of_any_channel_count(tmp_path: Path, mode: str) -> None:
    _draw(tmp_path / "data", count=4, test=1)
    path = tmp_path / "data/images_refs/i0_0.png"
    gray = np.asarray(Image.open(path))
    wide = Image.fromarray(gray.astype(np.uint16) * 257) if mode == "I;16" else None
    (wide or Image.fromarray(gray).convert(mode)).save(path)
    stage, _ = _reader_of(tmp_path / "data", tmp_path)
    assert (_table(stage)["status"] == "ok").all()
    assert _table(stage).loc["i0_0", "w02"] == pytest.approx(4, abs=0.3)


def test_a_reference_smaller_than_the_image_is_mirrored_beyond_its_edge(tmp_path: Path) -> None:
    _draw(tmp_path / "data", count=4, test=1)
    path = tmp_path / "data/images_refs/i0_0.png"
    small = np.asarray(Image.open(path))[12:-12, 12:-12]
    _save(path, small)
    stage, reader = _reader_of(tmp_path / "data", tmp_path)
    row = _table(stage).loc["i0_0"]
    assert row["status"] == "ok" and row["w02"] == pytest.approx(4 - 12, abs=0.3)
    seen = reader.image(check.run(stage).catalog.by_id["train"]["i0_0"])[..., 3]
    assert seen.shape == (128, 128)
    edge = round(-row["w02"])  # the first column that the small reference shows
    mirrored = np.abs(seen[20:-20, edge - 5].astype(int) - seen[20:-20, edge + 5]).mean()
    assert mirrored < 12 < np.abs(seen[20:-20, edge - 5].astype(int) - seen[20:-20, 60]).mean()


def test_motion_none_takes_the_references_as_they_lie(tmp_path: Path) -> None:
    _draw(tmp_path / "data", count=4, test=1)
    stage, reader = _reader_of(tmp_path / "data", tmp_path, motion="none")
    table = _table(stage)
    assert (table["status"] == "ok").all() and (table["w02"] == 0).all()
    sample = check.run(stage).catalog.train[0]
    assert sample.reference is not None
    assert (reader.image(sample)[..., 3] == np.asarray(Image.open(sample.reference))).all()


def test_a_model_without_the_reference_outlives_another_alignment(tmp_path: Path) -> None:
    _draw(tmp_path / "data", count=4, test=1)
    stamps = []
    for motion in ("auto", "none"):
        stage = _context(tmp_path / "data", tmp_path, motion=motion)
        survey, table, reader = check.run(stage), folds.run(stage), align.run(stage)
        models = stage.experiment.models
        blind = models["a"].model_copy(update={"reference": "none"})
        stamps.append(
            [
                made_from(stage, survey.fingerprint("train", table["id"]), m, [])
                for m in (models["a"], blind)
            ]
        )
        assert reader.channels.total == 6
    assert stamps[0][0] != stamps[1][0] and stamps[0][1] == stamps[1][1]


def test_the_report_shows_worst_and_flagged_pairs(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    (tmp_path / "data/images_refs/i3_0.png").unlink()
    _save(tmp_path / "data/images_refs/i2_0.png", np.full((128, 128), 77, np.uint8))
    stage, _ = _reader_of(tmp_path / "data", tmp_path, missing="image")
    section = report_alignment.section(stage, check.run(stage))
    assert section.table is not None
    assert section.table.rows == [
        ["flat image", "1", "0"], ["no reference", "1", "0"], ["ok", "2", "2"],
    ]  # fmt: skip
    trusted, flagged = section.cases.values()
    assert {case.id for case in trusted} == {"i0_0", "i1_0", "t0_0", "t1_0"}
    assert [case.id for case in flagged] == ["i2_0"] and "flat image" in flagged[0].score
    page = render_report(Report("x", Headline("a", "b"), sections=[section]))
    assert "Flagged" in page and page.count("data:image/jpeg") == 5


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    (tmp_path / "data/images_refs/i2_0.png").unlink()
    with pytest.raises(DataError, match=r"data\.reference: no reference image for i2_0"):
        align.run(_context(tmp_path / "data", tmp_path))
