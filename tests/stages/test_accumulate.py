"""Accumulate mode: one store of sums instead of a store a model, and the same submission."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.errors import ArtefactError
from pipeline.maps import Accumulator
from pipeline.stages import submit, verify
from pipeline.stages.context import StageContext
from pipeline.stages.parts import map_jobs, summed_maps
from tests.helpers.competitions import context, draw_discs, raw_experiment

REPOSITORY = Path(__file__).parents[2]
ONE: dict[str, Any] = {"train": {"epochs": 1}}
THREE: dict[str, Any] = {
    **ONE,
    "data": {"classes": {"background": 0, "red": 1, "green": 2}, "multiclass": True},
    "submission": {"rows": "class", "key": "{id}_{class}"},
}
TWO: dict[str, Any] = {
    **ONE,
    "data": {"classes": {"red": 1, "green": 2}},
    "submission": {"rows": "class", "key": "{id}_{class}"},
}
BOTH = {"weights": {"a": 0.37, "b": 0.63}, "threshold": 0.45}


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


class Trained(dict[str, tuple[Path, Path]]):
    """For each kind of competition the data, and a workspace with a submission of own stores."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory

    def __missing__(self, kind: str) -> tuple[Path, Path]:
        root, workspace = self._factory.mktemp("discs"), self._factory.mktemp("workspace")
        draw_discs(root, count=8, classes=1 if kind == "one" else 2)
        blocks = {"one": ONE, "two": TWO, "three": THREE}[kind]
        submit.run(context(root, workspace, ensemble=BOTH, **blocks))
        self[kind] = (root, workspace)
        return self[kind]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory)


def _copied(pair: tuple[Path, Path], folder: Path) -> tuple[Path, Path]:
    shutil.copytree(pair[1], folder / "work")
    shutil.rmtree(folder / "work" / "submissions")
    return pair[0], folder / "work"


def _submitted(stage: StageContext) -> bytes:
    return submit.run(stage).read_bytes()


@pytest.mark.parametrize(
    ("kind", "blocks", "ensemble", "infer"),
    [
        ("one", ONE, {}, {}),
        slow("one", ONE, {"mean": "geometric"}, {}),
        slow("one", ONE, {"mean": "rank"}, {"dtype": "uint16"}),
        slow("one", ONE, {"threshold": "search", "postprocess": ["fill_holes"]}, {}),
        slow("one", ONE, {}, {"dtype": "float16", "codec": "blosc2"}),
        slow("two", TWO, {"threshold": [0.4, 0.6]}, {}),
        slow("three", THREE, {"threshold": [0.3, 0.5, 0.4]}, {}),
        slow("three", THREE, {"threshold": "search", "mean": "geometric"}, {}),
    ],
)
def test_the_submission_is_the_one_of_separate_stores(
    trained: Trained,
    tmp_path: Path,
    kind: str,
    blocks: dict[str, Any],
    ensemble: dict[str, Any],
    infer: dict[str, Any],
) -> None:
    root, workspace = _copied(trained[kind], tmp_path)
    chosen = {**blocks, "infer": infer}
    apart = context(root, workspace, ensemble={**BOTH, **ensemble}, **chosen)
    separate = _submitted(apart)
    shutil.rmtree(workspace / "submissions")
    for model in ("a", "b"):
        shutil.rmtree(workspace / "runs/discs" / model / "maps/test")
    together = {**BOTH, **ensemble, "accumulate": True}
    stage = context(root, workspace, ensemble=together, **chosen)
    assert _submitted(stage) == separate
    assert not list(workspace.glob("runs/discs/*/maps/test"))
    said = "\n".join(stage.reporter.said)  # type: ignore[attr-defined]
    assert "ensemble: " not in said, "the blend is chosen on the same maps either way"
    again = context(root, workspace, asked="submit", ensemble=together, **chosen)
    submit.run(again)
    assert "submit: up to date" in again.reporter.said[-1]  # type: ignore[attr-defined]


def test_a_model_without_weight_is_not_predicted(trained: Trained, tmp_path: Path) -> None:
    root, workspace = _copied(trained["one"], tmp_path)
    settings = {"weights": {"a": 1.0, "b": 0.0}}
    separate = _submitted(context(root, workspace, ensemble=settings, **ONE))
    shutil.rmtree(workspace / "submissions")
    stage = context(root, workspace, ensemble={**settings, "accumulate": True}, **ONE)
    assert _submitted(stage) == separate
    assert "maps of 1 model(s) summed" in "\n".join(stage.reporter.said)  # type: ignore[attr-defined]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.stat().st_size}


def _whole(pair: tuple[Path, Path], folder: Path) -> dict[str, bytes]:
    root, workspace = _copied(pair, folder)
    stage = context(root, workspace, ensemble={**BOTH, "accumulate": True}, **ONE)
    return _contents(summed_maps.run(stage).folder)


def test_models_that_do_not_fit_together_are_summed_one_after_another(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _whole(trained["one"], tmp_path / "whole")
    monkeypatch.setattr(map_jobs, "TOGETHER_BYTES", 1)
    assert _whole(trained["one"], tmp_path / "apart") == whole


def test_a_flipped_bit_is_found_and_just_that_sum_made_again(
    trained: Trained, tmp_path: Path
) -> None:
    root, workspace = _copied(trained["one"], tmp_path)
    together = {**BOTH, "accumulate": True}
    folder = summed_maps.run(context(root, workspace, ensemble=together, **ONE)).folder
    whole = _contents(folder)
    values = np.load(folder / "maps.npy", mmap_mode="r+")
    values[48 * 64 + 5] ^= 1 << 9
    values.flush()
    with pytest.raises(ArtefactError, match=r"1 of \d+ maps .*\n.*blend/test: .*altered"):
        verify.run(context(root, workspace, ensemble=together, **ONE))
    damaged = Accumulator.open(folder)
    assert len(damaged.pending("a")) == 1
    summed_maps.run(context(root, workspace, ensemble=together, **ONE))
    assert _contents(folder) == whole


@pytest.mark.parametrize("kills", [slow([(1, 0.0)]), slow([(2, 0.02 * n) for n in range(20)])])
def test_killed_while_summing_no_model_counts_twice(
    trained: Trained, tmp_path: Path, kills: list[tuple[int, float]]
) -> None:
    whole = _whole(trained["one"], tmp_path / "whole")
    root, workspace = _copied(trained["one"], tmp_path)
    together = {**BOTH, "accumulate": True}
    raw = raw_experiment(root, ensemble=together, train={"epochs": 1})
    (workspace / "discs.yaml").write_text(yaml.safe_dump(raw))
    members = workspace / "runs/discs/blend/test/members.npy"
    for jobs, delay in kills:
        command = [sys.executable, "-m", "pipeline", "submit", "--config", "discs.yaml"]
        process = subprocess.Popen(
            [*command, "--jobs", str(jobs)],
            cwd=workspace,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.DEVNULL,
        )
        while not members.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # its workers notice that they are alone
    stage = context(root, workspace, ensemble=together, **ONE)
    assert _contents(summed_maps.run(stage).folder) == whole
