"""From images to a submission on a GPU: two jobs at once, each with loader workers."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.data import rle
from pipeline.execution.executor import Job, JobContext, Machine, run_jobs
from pipeline.reporting import SilentReporter
from pipeline.workspace import Workspace
from tests.gpu.running import held_bytes, run, two_at_once, write_experiment

pytestmark = pytest.mark.gpu
BLOCK = 2**28  # float32 numbers that a job holds: 1 GiB
CONTEXT_BYTES = 64 * 2**20  # by which the card's free memory may differ without our doing


@pytest.fixture(scope="module")
def finished(
    device: str, discs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """A workspace after `all`, and by how much the card has less memory than before."""
    folder = tmp_path_factory.mktemp("whole") / "my work"
    write_experiment(discs, folder)
    before = held_bytes(device)
    run(folder, "all", *two_at_once(device))
    return folder, held_bytes(device) - before


def test_every_test_image_has_its_row(finished: tuple[Path, int], discs: Path) -> None:
    (path,) = (finished[0] / "submissions" / "discs").glob("*.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert sorted(table["id"]) == sorted(image.stem for image in (discs / "test").iterdir())
    for text in table["rle_mask"]:
        rle.decode(text, (45, 61), "column")


def test_every_member_is_trained_with_finite_losses(finished: tuple[Path, int]) -> None:
    members = sorted(path.parent for path in finished[0].glob("runs/discs/*/fold*/manifest.json"))
    assert [f"{path.parent.name}/{path.name}" for path in members] == [
        "a/fold0", "a/fold1", "b/fold0", "b/fold1"
    ]  # fmt: skip
    for member in members:
        history = pd.read_csv(member / "history.csv")
        assert len(history) == 2 and history["loss"].notna().all()


def test_the_card_is_left_as_it_was(finished: tuple[Path, int]) -> None:
    assert finished[1] < CONTEXT_BYTES


def test_a_second_run_touches_nothing(finished: tuple[Path, int], device: str) -> None:
    folder = finished[0]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*") if path.is_file()}
    text = run(folder, "all", *two_at_once(device))
    for stage in ("train", "infer", "ensemble", "submit"):
        assert f"{stage}: up to date" in text
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*") if path.is_file()}
    assert [
        path for path in after if after[path] != before.get(path) and path.suffix != ".lock"
    ] == []


def _occupy(log: str, context: JobContext) -> str:
    """Holds a block of the device for a moment, and notes from when to when."""
    block = torch.ones(BLOCK if context.device != "cpu" else 1, device=context.device)
    started = time.time()
    time.sleep(0.3)
    with Path(log).open("a") as stream:
        stream.write(f"{started} {time.time()}\n")
    return str(block.sum().item())


def test_jobs_queue_for_the_one_card_and_give_its_memory_back(device: str, tmp_path: Path) -> None:
    """JOBS=2 DEVICES=cuda:0: there is one card, so there is one job at a time."""
    machine = Machine.detect(jobs=2, devices=[device])
    log = tmp_path / "log"
    before = held_bytes(device)
    jobs = [Job(f"job {number}", _occupy, (str(log),)) for number in range(3)]
    done = run_jobs("test", jobs, machine, Workspace("x", tmp_path), SilentReporter())
    assert len(done) == 3
    assert held_bytes(device) - before < CONTEXT_BYTES
    times = sorted(tuple(map(float, line.split())) for line in log.read_text().splitlines())
    slots = len(machine.devices)
    assert slots == (2 if device == "cpu" else 1)
    for first, other in zip(times, times[slots:], strict=False):
        assert first[1] <= other[0]
