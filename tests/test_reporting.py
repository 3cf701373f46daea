"""What jobs report belongs to one run: no other run deletes it, and a killed one leaves none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.execution.executor import Job, JobContext, Machine, run_jobs
from pipeline.reporting import JobProgress, SilentReporter, progress_folder, running_jobs
from pipeline.workspace import Workspace

UPDATES = (
    "import sys; from pathlib import Path; from pipeline.reporting import JobProgress\n"
    "progress = JobProgress(Path(sys.argv[1]), 'a/fold0')\n"
    "for _ in range(2000): progress.update(0, 0)"
)


def test_two_processes_may_report_the_same_job(tmp_path: Path) -> None:
    command = [sys.executable, "-c", UPDATES, str(tmp_path)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == ["", ""]
    assert [job.name for job in running_jobs(tmp_path)] == ["a/fold0"]


def test_jobs_whose_names_have_one_slug_are_two(tmp_path: Path) -> None:
    with JobProgress(tmp_path, "a b"), JobProgress(tmp_path, "a-b"):
        assert {job.name for job in running_jobs(tmp_path)} == {"a b", "a-b"}
    with JobProgress(tmp_path, "m" * 500):
        assert len(running_jobs(tmp_path)) == 1


def _look(workspace: Workspace, context: JobContext) -> list[str]:
    return sorted(job.name for job in running_jobs(workspace.progress))


def test_a_run_leaves_the_jobs_of_another_alone_and_nothing_of_its_own(tmp_path: Path) -> None:
    workspace = Workspace("run", tmp_path)
    machine = Machine(("cpu",), 1)
    with (
        progress_folder(workspace.progress) as other,
        JobProgress(other, "theirs") as theirs,
    ):
        jobs = [Job("ours", _look, (workspace,))]
        seen = run_jobs("look", jobs, machine, workspace, SilentReporter())
        assert seen == {"ours": ["ours", "theirs"]}
        theirs.update(0, 0)
        assert [job.name for job in running_jobs(workspace.progress)] == ["theirs"]
    assert list(workspace.progress.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_never_what_a_living_one_has(tmp_path: Path) -> None:
    host = os.uname().nodename
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        (tmp_path / f"{host}-{pid}-cafe").mkdir()
    (tmp_path / f"elsewhere-{dead.pid}-cafe").mkdir()
    with progress_folder(tmp_path):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{host}-{os.getpid()}-cafe", f"elsewhere-{dead.pid}-cafe"}


def test_what_cannot_be_reported_stops_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with JobProgress(tmp_path / "file", "job") as progress:
        progress.update(0, 0)
    assert running_jobs(tmp_path / "file") == []


@pytest.mark.parametrize("text", ["[]", "{", '{"name": 1, "new": 2}', "\x00", "1" * 5000])
def test_a_report_that_is_no_report_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert running_jobs(tmp_path) == []
