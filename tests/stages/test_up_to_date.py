"""Where all is up to date nothing large is read again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.catalog import Part
from pipeline.errors import DataError
from pipeline.stages import check, ensemble, scorecard, train
from pipeline.stages.check import Survey
from pipeline.submission import rows
from tests.helpers.competitions import ONE_MODEL, TINY, context, draw_discs, said

RANKS: dict[str, Any] = {**ONE_MODEL, "ensemble": {"mean": "rank"}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8)
    scorecard.run(context(root, workspace, **RANKS))
    return root, workspace


def _alter_maps(workspace: Path) -> dict[Path, bytes]:
    """Flip every bit of every map, so that whoever reads one finds it damaged."""
    before = {path: path.read_bytes() for path in workspace.rglob("maps.npy")}
    assert len(before) == 2
    for path, data in before.items():
        path.write_bytes(data[:128] + bytes(255 - value for value in data[128:]))
    return before


@pytest.mark.slow
def test_no_map_is_read_not_even_for_a_mean_of_ranks(finished: tuple[Path, Path]) -> None:
    root, workspace = finished
    before = _alter_maps(workspace)
    again = context(root, workspace, asked="all", **RANKS)
    first = ensemble.run(context(root, workspace, **RANKS))
    scorecard.run(again)
    assert "ensemble: up to date" in said(again) and "submit: up to date" in said(again)
    for path, data in before.items():
        path.write_bytes(data)
    (workspace / "runs/discs/ensemble.json").unlink()
    second = ensemble.run(context(root, workspace, **RANKS))
    assert (first.recipe.mean.tables == second.recipe.mean.tables).all()  # type: ignore[union-attr]


def test_altered_ranks_are_made_again_from_the_maps(finished: tuple[Path, Path]) -> None:
    root, workspace = finished
    tables = workspace / "runs/discs/mean_tables.npy"
    before = tables.read_bytes()
    tables.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    again = context(root, workspace, asked="ensemble", **RANKS)
    ensemble.run(again)
    assert tables.read_bytes() == before and "ensemble: up to date" in said(again)


def test_the_images_are_hashed_once_a_fold_however_many_models(
    finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, workspace = finished
    hashed: list[int] = []
    fingerprint = Survey.fingerprint

    def counted(self: Survey, part: Part, ids: Iterable[str] | None = None) -> str:
        hashed.append(0 if ids is None else len(list(ids)))
        return fingerprint(self, part, ids)

    monkeypatch.setattr(Survey, "fingerprint", counted)
    five = {f"m{number}": {"decoder": "linknet", **TINY} for number in range(5)}
    jobs = train.list_jobs(context(root, workspace, **{**RANKS, "models": five}))
    assert len(jobs) == 10 and hashed == [4, 4]
    assert len({id(job.train) for job in jobs.values()}) == 2, "one list of samples a fold"


def test_a_sample_submission_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_discs(tmp_path / "data", count=4, test=2)
    sample = tmp_path / "data/sample.csv"
    sample.write_text("id,rle_mask\nt0_0,\nt0_1,\n")
    read: list[Path] = []
    read_table = rows.read_table
    monkeypatch.setattr(
        rows, "read_table", lambda path, columns: read.append(path) or read_table(path, columns)
    )

    def checked(asked: str = "all") -> None:
        check.run(context(tmp_path / "data", tmp_path, asked, submission={"sample": "sample.csv"}))

    checked()
    checked()
    checked("ensemble")
    assert read == [sample]
    checked("check")
    assert len(read) == 2, "where it is asked for, it is checked again"
    sample.write_text("id,rle_mask\nt0_0,\nt9_9,\n")
    for _ in range(2):
        with pytest.raises(DataError, match="t9_9"):
            checked()
    sample.write_text("id,rle_mask\nt0_1,\nt0_0,\n")
    checked()
    checked()
    assert len(read) == 5
