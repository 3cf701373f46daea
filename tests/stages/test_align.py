"""The align stage: a row and a picture a pair, made once, seen by the reader."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.competition.reading import aligned_path
from pipeline.errors import DataError
from pipeline.stages import align, check
from pipeline.stages.context import StageContext
from tests.competitions import context

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


def _context(root: Path, workspace: Path) -> StageContext:
    data = {"reference": "images_refs/{id}.png", "test_reference": "test_refs/{id}.png"}
    return context(root, workspace, data=data)


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


def test_only_a_pair_that_is_missing_is_aligned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _draw(tmp_path / "data")
    first = _context(tmp_path / "data", tmp_path)
    align.run(first)
    again: list[str] = []
    real = align._align_pair
    monkeypatch.setattr(align, "_align_pair", lambda s, *rest: (again.append(s.id), real(s, *rest)))
    align.run(_context(tmp_path / "data", tmp_path))
    assert again == []
    sample = check.run(first).catalog.train[1]
    aligned_path(first.workspace.aligned_references, sample).unlink()
    first.workspace.alignment_manifest.unlink()
    align.run(_context(tmp_path / "data", tmp_path))
    assert again == [sample.id]


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    _draw(tmp_path / "data")
    (tmp_path / "data/images_refs/i2_0.png").unlink()
    with pytest.raises(DataError, match=r"data\.reference: no reference for i2_0"):
        align.run(_context(tmp_path / "data", tmp_path))
