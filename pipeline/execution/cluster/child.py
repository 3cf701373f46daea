"""The process of one job on a cluster: `python -m pipeline.execution.cluster.child`.

It is started ahead, waits for the folder of its errand on standard input, runs that one job, and
ends. It has its own main thread (for signals), session and memory. When the worker that started it
is gone, it saves its state within a grace and ends.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path

from pipeline import fence
from pipeline.atomic_files import replace_whole
from pipeline.errors import InterruptedRunError, MaskmillError
from pipeline.execution.cluster.errand import Errand
from pipeline.execution.devices import bound_to
from pipeline.execution.jobs import WAITS, Job, JobContext, Outcome, run_job
from pipeline.host import host_name
from pipeline.interruption import StopFlag, worker_flag
from pipeline.locks import hold_one_of
from pipeline.reporting import JobProgress

ERRAND, OUTCOME = "errand", "outcome"
_OPENCV = "OPENCV_FOR_THREADS_NUM"
ORPHAN_GRACE_S = 15.0
"""So long a job whose worker is gone may take to save its state."""


def main() -> None:
    """Wait for an errand, and run it; end without one when standard input is closed."""
    folder = Path(sys.stdin.readline().rstrip("\n"))
    if folder == Path():
        return
    errand: Errand = pickle.loads((folder / ERRAND).read_bytes())
    stop = worker_flag(os.getppid(), ORPHAN_GRACE_S)
    _enter(errand)
    outcome = _pickled(_run(errand, stop), errand.name)
    replace_whole(folder / OUTCOME, [outcome])
    with suppress(OSError):  # a full disk; the driver then says that it sees nothing
        replace_whole(errand.receipt, [outcome])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # Python's own way out takes longer than the way to the next job


def _enter(errand: Errand) -> None:
    """Make this process what the driver's own one would be, before anything large is imported."""
    os.chdir(errand.folder)
    sys.path[0] = str(errand.folder)
    os.environ.update(bound_to(errand.gpu, errand.threads))
    os.environ[_OPENCV] = str(errand.threads)
    fence.guard(errand.token_file, errand.token)


def _run(errand: Errand, stop: StopFlag) -> Outcome:
    try:
        job: Job = pickle.loads(errand.job)
    except Exception as error:  # a module that is not here, say
        text = f"{errand.name}: {host_name()} cannot take the job: {error!r}"
        return Outcome(errand.name, error=MaskmillError(text))
    with JobProgress(errand.workspace.progress, errand.name) as progress:

        def waiting(owners: str) -> None:
            stop.check()
            progress.update(0, 0, WAITS.format(owners))

        try:
            with hold_one_of([errand.workspace.locks / errand.lease], waiting=waiting):
                device = "cuda:0" if errand.gpu else "cpu"
                return run_job(job, JobContext(device, progress, stop, errand.cores))
        except InterruptedRunError as error:
            return Outcome(errand.name, error=error)


def _pickled(outcome: Outcome, name: str) -> bytes:
    try:
        return pickle.dumps(outcome)
    except Exception as error:
        return pickle.dumps(Outcome(name, error=MaskmillError(f"{name}: {error!r}")))


if __name__ == "__main__":
    main()
