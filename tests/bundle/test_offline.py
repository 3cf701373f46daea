"""A bundle predicts without the package, as it was, and writes what `make submit` writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bundle.offline import OfflineRequest, by_worth, submit_offline
from pipeline.bundle.passes import Passes
from pipeline.errors import ArtefactError, ConfigError, DataError, ResourceError
from pipeline.prediction.finished_run import read_finished_run
from pipeline.reporting import SilentReporter
from pipeline.stages import bundle, submit
from pipeline.stages.bundle import BundleRequest
from tests.helpers.competitions import context, draw_discs

pytestmark = pytest.mark.slow
REQUEST = BundleRequest("some-contest", "someone", Path("bundle"), hours=1)


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, a submission of it, and its bundle."""
    folder = tmp_path_factory.mktemp("a contest")
    draw_discs(folder / "data", test=11)
    stage = context(
        folder / "data",
        folder,
        train={"epochs": 15, "lr": 5e-3},
        ensemble={"weights": {"a": 0.7, "b": 0.3}},
        submission={"sample": "sample.csv", "columns": ["id", "rle_mask"]},
    )
    _sample(folder / "data")
    submission = submit.run(stage)
    assert len({line.split(",")[1] for line in submission.read_text().splitlines()}) > 6
    shutil.copy(submission, folder / "expected.csv")
    bundle.run(stage, stage.workspace.run, replace(REQUEST, out=folder / "bundle"))
    return folder


def _sample(data: Path) -> None:
    lines = [f"{path.stem},1 1" for path in sorted((data / "test").iterdir())]
    (data / "sample.csv").write_text("\n".join(["id,rle_mask", *reversed(lines)]) + "\n")


@pytest.fixture
def mounted(competition: Path, tmp_path: Path) -> Path:
    """`inputs` with the bundle and the data where Kaggle puts them."""
    inputs = tmp_path / "inputs"
    shutil.copytree(competition / "bundle/dataset", inputs / "datasets/someone/discs-maskmill")
    hidden = inputs / "competitions/some-contest"
    shutil.copytree(competition / "data/test", hidden / "test")
    shutil.copy(competition / "data/sample.csv", hidden)
    return inputs


def _request(inputs: Path, competition: Path, hours: float | None = None) -> OfflineRequest:
    scratch = inputs.parent / "scratch"
    return OfflineRequest(
        competition / "runs/discs", inputs, inputs.parent / "out", scratch, hours, ("cpu",)
    )


@pytest.mark.parametrize("unpacked", [False, True], ids=["zips", "folders"])
def test_the_bundle_alone_writes_the_bytes_of_submit(
    competition: Path, mounted: Path, unpacked: bool
) -> None:
    dataset = mounted / "datasets/someone/discs-maskmill"
    if unpacked:  # as Kaggle does with zips
        for packed in dataset.glob("*.zip"):
            shutil.unpack_archive(packed, packed.with_suffix(""))
            packed.unlink()
    out, scratch = mounted.parent / "working", mounted.parent / "kaggle tmp"
    arguments = [str(scratch), "--inputs", str(mounted), "--out", str(out), "--devices", "cpu"]
    away = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", str(dataset / "run.py"), *arguments],
        cwd=mounted.parent,
        env=away,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = scratch.glob("*/site")
    assert (site / "pipeline/bundle/offline.py").is_file()
    assert (site / "segmentation_models_pytorch/__init__.py").is_file()
    assert (out / "submission.csv").read_bytes() == (competition / "expected.csv").read_bytes()


def test_a_second_attempt_goes_on(competition: Path, mounted: Path) -> None:
    request = _request(mounted, competition)
    first = submit_offline(request, SilentReporter()).read_bytes()
    maps = request.scratch / "runs/offline/a/maps/test/maps.npy"
    before = maps.stat().st_mtime_ns
    assert submit_offline(request, SilentReporter()).read_bytes() == first
    assert maps.stat().st_mtime_ns == before


def test_models_are_left_out_whole_and_by_worth(
    competition: Path, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(mounted, competition)
    order = by_worth(read_finished_run(request.run))
    predict = Passes.predict
    monkeypatch.setattr(
        Passes, "predict", lambda self, m, d: predict(self, m, d) if m == order[0] else None
    )
    reporter = SilentReporter()
    path = submit_offline(request, reporter)
    assert path.read_bytes() != (competition / "expected.csv").read_bytes()
    assert f"submission: {order[0]} →" in reporter.said[-1]


def test_no_time_leaves_a_valid_file(competition: Path, mounted: Path) -> None:
    request = _request(mounted, competition, hours=1e-6)
    with pytest.raises(ResourceError, match="not enough for one member"):
        submit_offline(request, SilentReporter())
    lines = (request.out / "submission.csv").read_text().splitlines()
    asked = (competition / "data/sample.csv").read_text().splitlines()
    assert lines[0] == asked[0]
    assert [line.split(",") for line in lines[1:]] == [[x.split(",")[0], ""] for x in asked[1:]]


def test_no_test_images_leave_the_sample_with_empty_masks(competition: Path, mounted: Path) -> None:
    hidden = mounted / "competitions/some-contest"
    shutil.rmtree(hidden / "test")
    (hidden / "test").mkdir()
    (hidden / "sample.csv").write_text("id,rle_mask\nplaceholder,1 1\n")
    path = submit_offline(_request(mounted, competition), SilentReporter())
    assert path.read_text() == "id,rle_mask\nplaceholder,\n"


def test_the_hidden_images_are_others_of_other_sizes(competition: Path, mounted: Path) -> None:
    hidden = mounted / "competitions/some-contest"
    shutil.rmtree(hidden / "test")
    draw_discs(mounted.parent / "other", count=0, test=3, size=(70, 90))
    shutil.copytree(mounted.parent / "other/test", hidden / "test")
    (hidden / "test/t9_9.png").write_bytes(b"no image")
    reporter = SilentReporter()
    path = submit_offline(_request(mounted, competition), reporter)
    rows = dict(line.split(",") for line in path.read_text().splitlines()[1:])
    assert sorted(rows) == ["t0_0", "t0_1", "t1_2", "t9_9"]
    assert rows["t9_9"] == "" and all(rows[each] for each in rows if each != "t9_9")
    assert any("the rows are those of the test images" in each for each in reporter.warned)
    assert any("t9_9.png" in each for each in reporter.warned)


def test_missing_data_and_damaged_weights(competition: Path, mounted: Path) -> None:
    request = _request(mounted, competition)
    with pytest.raises(DataError, match=r"test/\{id\}.png and sample.csv; attach"):
        submit_offline(replace(request, inputs=mounted / "datasets"), SilentReporter())
    copy = mounted.parent / "run"
    shutil.copytree(request.run, copy)
    weights = next(copy.glob("a/fold0/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match="damaged"):
        submit_offline(replace(request, run=copy), SilentReporter())


def test_what_is_refused_to_be_bundled(competition: Path, tmp_path: Path) -> None:
    stage = context(competition / "data", competition)
    run = competition / "runs/discs"
    with pytest.raises(ConfigError, match="COMPETITION='Some Contest'"):
        bundle.run(stage, run, replace(REQUEST, competition="Some Contest", out=tmp_path / "b"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").touch()
    with pytest.raises(DataError, match="holds something else"):
        bundle.run(stage, run, replace(REQUEST, out=tmp_path / "mine"))
    (tmp_path / "images/dataset").mkdir(parents=True)
    (tmp_path / "images/dataset/1.png").touch()
    with pytest.raises(DataError, match="holds something else"):
        bundle.run(stage, run, replace(REQUEST, out=tmp_path / "images"))


def test_half_weights_are_half_as_large(competition: Path, mounted: Path, tmp_path: Path) -> None:
    stage = context(competition / "data", competition)
    run = competition / "runs/discs"
    made = bundle.run(stage, run, replace(REQUEST, half=True, out=tmp_path / "half"))
    sizes = [(each / "dataset/run.zip").stat().st_size for each in (made, competition / "bundle")]
    assert sizes[0] < 0.6 * sizes[1]
    shutil.unpack_archive(made / "dataset/run.zip", tmp_path / "halved")
    request = replace(_request(mounted, competition), run=tmp_path / "halved")
    submit_offline(request, SilentReporter())
    assert json.loads((made / "dataset/maskmill-bundle.json").read_text())["half"] is True
