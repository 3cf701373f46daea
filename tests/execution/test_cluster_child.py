"""The process of a job on a cluster, and the thread that watches it; without Dask."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import fence
from pipeline.atomic_files import write_atomic
from pipeline.errors import InterruptedRunError
from pipeline.execution.cluster.errand import Errand, Report
from pipeline.execution.cluster.supervisor import run_errand
from pipeline.execution.jobs import Job
from pipeline.host import host_name
from pipeline.workspace import Workspace
from tests.helpers import cluster_jobs
from tests.helpers.cluster import environment
from tests.helpers.waiting import wait_until


def errand(folder: Path, call: Callable[..., Any], *arguments: Any, **changes: Any) -> Errand:
    """An attempt whose token is the latest one."""
    values: dict[str, Any] = {
        "run": "r", "name": "job", "token": "t1", "job": pickle.dumps(Job("job", call, arguments)),
        "folder": folder, "workspace": Workspace("x", folder, "here"), "gpu": "",
        "lease": "cpu-0.lock", "cores": 3, "threads": 2, "grace_s": 20.0, "deadline_s": None,
    }  # fmt: skip
    made = Errand(**{**values, **changes})
    made.token_file.parent.mkdir(parents=True, exist_ok=True)
    made.token_file.write_text(made.token)
    return made


def run(made: Errand, why_stop: Callable[[], str] = str, lines: list[str] | None = None) -> Report:
    told = [] if lines is None else lines
    return run_errand(pickle.dumps(made), why_stop, told.extend)


def test_a_job_runs_where_the_driver_is_and_with_its_own_device(tmp_path: Path) -> None:
    made = errand(tmp_path, cluster_jobs.surroundings, gpu="GPU-3fa2")
    assert run(made).outcome.value == {
        "CUDA_VISIBLE_DEVICES": "GPU-3fa2", "OMP_NUM_THREADS": "2",
        "OPENCV_FOR_THREADS_NUM": "2", "folder": str(tmp_path), "device": "cuda:0",
        "session": "True",
    }  # fmt: skip
    assert pickle.loads(made.receipt.read_bytes()).value["device"] == "cuda:0"
    assert (made.workspace.locks / made.lease).exists()


def test_a_killed_job_is_a_fault_that_names_the_host_and_what_it_said_last(tmp_path: Path) -> None:
    lines: list[str] = []
    report = run(errand(tmp_path, cluster_jobs.die, str(tmp_path), "d", 9), lines=lines)
    assert report.outcome.fault == f"{host_name()}: killed by SIGKILL"
    run(errand(tmp_path, cluster_jobs.say, "first\nlast"), lines=lines)
    assert lines == ["first", "last"]


def test_a_job_that_is_told_to_stop_saves_its_state(tmp_path: Path) -> None:
    started = tmp_path / "w.starts"
    made = errand(tmp_path, cluster_jobs.work_until_stop, str(tmp_path), "w")
    report = run(made, lambda: "the lease ends" if started.exists() else "")
    assert isinstance(report.outcome.error, InterruptedRunError) and not report.is_lasting
    assert (tmp_path / "w.saved").exists()


@pytest.mark.slow
def test_a_job_that_hears_nothing_is_killed_after_its_grace(tmp_path: Path) -> None:
    started = tmp_path / "h.starts"
    made = errand(tmp_path, cluster_jobs.hang, str(tmp_path), "h", grace_s=0.5)
    report = run(made, lambda: "stopped" if started.exists() else "")
    assert report.outcome.fault == f"{host_name()}: stopped; it was killed 0.5 s later"
    late = errand(tmp_path, cluster_jobs.nap, 60, grace_s=0.2, deadline_s=1.0)
    assert "longer than its deadline of 1 s" in run(late).outcome.fault


@pytest.mark.slow
def test_what_cannot_be_unpickled_is_an_error_and_no_fault(tmp_path: Path) -> None:
    report = run(errand(tmp_path, cluster_jobs.nap, 0, job=b"cnowhere\nthing\n."))
    assert "cannot take the job" in str(report.outcome.error)


WATCHED = """
import pickle, sys
from pathlib import Path
from pipeline.execution.cluster.supervisor import run_errand
run_errand(Path(sys.argv[1]).read_bytes(), str, print)
"""


def test_a_job_whose_worker_is_gone_saves_its_state_and_ends(tmp_path: Path) -> None:
    made = errand(tmp_path, cluster_jobs.work_until_stop, str(tmp_path), "w")
    (tmp_path / "order").write_bytes(pickle.dumps(made))
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "order")]
    worker = subprocess.Popen(command, env=environment())
    wait_until(lambda: cluster_jobs.starts(tmp_path, "w"))
    children = psutil.Process(worker.pid).children()
    assert len(children) == 2  # the job, and the process for the next one
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert not psutil.wait_procs(children, timeout=20)[1]
    assert isinstance(pickle.loads(made.receipt.read_bytes()).error, InterruptedRunError)


def _publish(folder: Path) -> int:
    """The exit status of a process that has another token than the file says, and publishes."""
    pid = os.fork()
    if pid == 0:
        fence.guard(folder / "token", "old")
        write_atomic(folder / "artefact", "of the old attempt")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_an_attempt_that_was_given_up_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    assert _publish(tmp_path) == 0
    (tmp_path / "artefact").write_text("of the new attempt")
    (tmp_path / "token").write_text("new")
    assert _publish(tmp_path) == fence.LOST
    assert (tmp_path / "artefact").read_text() == "of the new attempt"
    (tmp_path / "token").unlink()  # its driver has ended
    assert _publish(tmp_path) == fence.LOST


def test_two_jobs_of_a_host_never_share_a_device(tmp_path: Path) -> None:
    """The second waits for the lease of the first, and its wait ends when it is told to stop."""
    from pipeline.locks import hold

    made = errand(tmp_path, cluster_jobs.nap, 0)
    began = time.monotonic()
    with hold(made.workspace.locks / made.lease):
        report = run(made, lambda: "stopped" if time.monotonic() - began > 1.5 else "")
    assert isinstance(report.outcome.error, InterruptedRunError)
