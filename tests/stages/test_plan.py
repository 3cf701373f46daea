"""What `plan` says beforehand is what the stages then write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.disk_space import readable
from pipeline.maps import MapStore
from pipeline.stages import plan, submit
from pipeline.stages.parts.forecast import Line
from tests.helpers.competitions import TINY, context, draw_discs

SHORT = {"train": {"epochs": 1}, "models": {"a": {"decoder": "linknet", **TINY}}}


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


@pytest.mark.parametrize("accumulate", [pytest.param(False, marks=pytest.mark.slow), True])
def test_bytes_and_files_are_those_of_the_stages(
    data: Path, tmp_path: Path, accumulate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = {**SHORT, "ensemble": {"threshold": 0.5, "accumulate": accumulate}}
    run = tmp_path / "runs/discs"
    monkeypatch.setattr(plan, "free_bytes", lambda _: 1000)
    before = context(data, tmp_path, asked="plan", **blocks)
    lines = plan.run(before)
    assert not list(run.glob("a/fold*")) and not list(run.glob(".plan*"))
    assert all(line.seconds > 0 for line in lines if line.stage in ("train", "infer"))
    (warned,) = [text for text in before.reporter.warned if "fit" in text]  # type: ignore[attr-defined]
    assert "1 kB are free" in warned and "accumulate" in warned
    third = 8 * 48 * 64 / 3
    assert f"about {readable(third)} extra while the blend is chosen" in warned

    submit.run(context(data, tmp_path, **blocks))
    files, size = _sum(lines, "train")
    assert files == _written(run, "a/fold*/*")[0]
    assert size == pytest.approx(_written(run, "a/fold*/*")[1], rel=0.05)
    assert _sum(lines, "decode") == _written(run, "decoded/*/*")
    files, size = _sum(lines, "infer")
    assert files == _written(run, "a/maps/*/*")[0]
    assert size == _written(run, "a/maps/*/maps.npy")[1]
    if accumulate:
        (sums,) = [line for line in lines if "summed" in line.what]
        assert sums.files == _written(run, "blend/test/*")[0]
        assert sums.size == _written(run, "blend/test/maps.npy")[1]

    done = context(data, tmp_path, **blocks)
    plan.run(done)
    assert "about 0 bytes extra while the blend is chosen" in done.reporter.warned[-1]  # type: ignore[attr-defined]
    (run / "ensemble.json").unlink()
    unchosen = context(data, tmp_path, **SHORT)
    plan.run(unchosen)
    assert "about 0 bytes" not in unchosen.reporter.warned[-1]  # type: ignore[attr-defined]

    store = MapStore.open(run / "a/maps/oof")
    store.reset(store.ids[:3])
    after = plan.run(context(data, tmp_path, **blocks))
    busy = {line.what for line in after if line.seconds > 0 and line.stage in ("train", "infer")}
    assert busy == {"a: 8 oof maps"}
    assert sum(line.needed for line in after if line.stage in ("train", "infer")) == 0
