"""What `plan` says beforehand is what the stages then write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.stages import infer, plan, submit
from pipeline.stages.forecast import Line
from tests.competitions import context, draw_discs

SHORT = {"train": {"epochs": 1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=8, test=6)
    return folder


def _sum(lines: list[Line], stage: str) -> tuple[int, int]:
    mine = [line for line in lines if line.stage == stage]
    return sum(line.files for line in mine), sum(line.size for line in mine)


def _written(folder: Path, pattern: str) -> tuple[int, int]:
    files = [path for path in folder.glob(pattern) if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("accumulate", [False, True])
def test_bytes_and_files_are_those_of_the_stages(
    data: Path, tmp_path: Path, accumulate: bool
) -> None:
    blocks = {**SHORT, "ensemble": {"threshold": 0.5, "accumulate": accumulate}}
    before = context(data, tmp_path, asked="plan", **blocks)
    lines = plan.run(before)
    run = tmp_path / "runs/discs"
    assert not list(run.glob("[ab]/fold*")) and not list(run.glob(".plan*"))
    assert all(line.seconds > 0 for line in lines if line.stage in ("train", "infer"))
    submit.run(context(data, tmp_path, **blocks))
    files, size = _sum(lines, "train")
    assert files == _written(run, "[ab]/fold*/*")[0]
    assert size == pytest.approx(_written(run, "[ab]/fold*/*")[1], rel=0.05)
    files, size = _sum(lines, "infer")
    assert files == _written(run, "*/maps/*/*")[0]
    assert size == _written(run, "*/maps/*/maps.npy")[1]
    if accumulate:
        (sums,) = [line for line in lines if "summed" in line.what]
        assert (sums.files, sums.size) == (
            _written(run, "blend/test/*")[0],
            _written(run, "blend/test/maps.npy")[1],
        )
    after = plan.run(context(data, tmp_path, **blocks))
    assert sum(line.needed for line in after if line.stage in ("train", "infer")) == 0
    assert all(line.seconds == 0 for line in after if line.stage in ("train", "infer"))


def test_half_of_the_maps_take_half_of_the_time(data: Path, tmp_path: Path) -> None:
    blocks = {**SHORT, "models": {"a": {"decoder": "linknet", "encoder": "test_resnet",
                                        "weights": None}}}  # fmt: skip
    stores = infer.run(context(data, tmp_path, **blocks))
    stores.test["a"].reset(stores.test["a"].ids[:3])
    lines = {line.what: line for line in plan.run(context(data, tmp_path, **blocks))}
    assert lines["a: 8 oof maps"].seconds == 0 < lines["a: 6 test maps"].seconds
    assert lines["a: 6 test maps"].needed == 0


def test_what_does_not_fit_is_a_warning_with_the_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "free_bytes", lambda _: 1000)
    stage = context(data, tmp_path, **SHORT)
    plan.run(stage)
    (warned,) = [text for text in stage.reporter.warned if "fit" in text]  # type: ignore[attr-defined]
    assert "1 kB are free" in warned and "accumulate" in warned
