"""The engine of several machines: jobs on the workers of a Dask cluster, fed slot by slot.

Dask knows which workers live and carries bytes to them; everything else is decided here. A slot
gets a job when it is free, never before, so that no job waits at a worker that another one kills.
"""

from __future__ import annotations

import os
import pickle
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.atomic_files import replace_whole
from pipeline.cores import computing_threads
from pipeline.errors import InterruptedRunError, ResourceError
from pipeline.execution.attempts import run_apart
from pipeline.execution.cluster.cluster import Cluster
from pipeline.execution.cluster.errand import Errand, Report
from pipeline.execution.cluster.tasks import stop_run, supervise, topic
from pipeline.execution.cluster.team import Slot
from pipeline.execution.devices import Machine
from pipeline.execution.jobs import Job, Outcome
from pipeline.interruption import StopFlag
from pipeline.reporting import JobProgress, Reporter
from pipeline.workspace import Workspace

TICK_S = 0.1
APPEARS_S = 65.0
"""So long an NFS client may still show a folder as it was (`acdirmax`, and a little)."""
LEAVES_S = 12.0
"""So long a job may take to save its state after its worker has left without a word."""
MOST_MOVES = 100
"""Of one job, from workers that end to others."""
SAYS_S = 5.0  # without a worker, until it is said


@dataclass
class Attempt:
    """A job on a worker."""

    job: Job
    slot: Slot
    errand: Errand
    future: Any
    left: float | None = None
    """When its worker was missed first."""


class Dask:
    """An Engine on the workers of a cluster; see `RemoteCrew`."""

    def __init__(self, cluster: Cluster, workspace: Workspace, reporter: Reporter) -> None:
        self._cluster, self._workspace, self._reporter = cluster, workspace, reporter

    @property
    def slots(self) -> int:
        return len(self._cluster.team.slots)

    def pids(self) -> list[int]:
        return []  # the workers are told, or notice that nobody waits for them

    def run(self, jobs: Sequence[Job], stop: StopFlag) -> Iterator[Outcome]:
        with RemoteCrew(self._cluster, self._workspace, self._reporter) as crew:
            yield from run_apart(crew, jobs, stop, self._reporter)


class RemoteCrew:
    """The jobs of one stage on a cluster."""

    def __init__(self, cluster: Cluster, workspace: Workspace, reporter: Reporter) -> None:
        self._cluster, self._reporter = cluster, reporter
        self._workspace = replace(workspace, root=workspace.root.absolute())
        self._run = secrets.token_hex(8)
        self._moves, self._shunned = Counter[str](), dict[str, set[str]]()
        self._news = threading.Event()
        self._lines: deque[str] = deque()
        self._told = False
        self._alone_since: float | None = None
        self._note: JobProgress | None = None
        self.running: dict[str, Attempt] = {}

    def __enter__(self) -> RemoteCrew:
        self._cluster.client.subscribe_topic(topic(self._run), self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        self._say_waiting(False)
        if self.running:
            self.signal_stop()
        with suppress(Exception):  # a scheduler that is gone
            self._cluster.client.unsubscribe_topic(topic(self._run))
        self._print()

    def begin(self, waiting: deque[Job]) -> None:
        """Give every free slot a job, if there is one that may run on that host."""
        self._cluster.refresh()
        busy = {attempt.slot for attempt in self.running.values()}
        for slot in self._cluster.team.slots:
            if slot not in busy and self._cluster.lasts(slot.worker):
                job = next((job for job in waiting if self._may_run(job, slot.host)), None)
                if job is not None:
                    waiting.remove(job)
                    self._begin(job, slot)
        self._say_waiting(bool(waiting) and not self.running)

    def signal_stop(self) -> None:
        if not self._told:
            self._told = True
            self._cluster.call(stop_run, self._run)

    def ended(self) -> list[tuple[Job, Outcome]]:
        self._news.wait(TICK_S)
        self._news.clear()
        self._print()
        if self.running:
            self._cluster.refresh()
        over = [token for token, attempt in self.running.items() if self._is_over(attempt)]
        return [self._end(self.running.pop(token)) for token in over]

    def _may_run(self, job: Job, host: str) -> bool:
        """False where another host writes the same files, or where the job died before."""
        for attempt in self.running.values():
            if attempt.slot.host != host and not job.writes.isdisjoint(attempt.job.writes):
                return False
        shunned = self._shunned.get(job.name, set())
        return host not in shunned or self._cluster.team.hosts <= shunned

    def _begin(self, job: Job, slot: Slot) -> None:
        cores, settings = self._cluster.cores, self._cluster.settings
        errand = Errand(
            run=self._run,
            name=job.name,
            token=secrets.token_hex(8),
            job=pickle.dumps(job),
            folder=Path.cwd(),
            workspace=self._workspace,
            gpu=slot.gpu,
            lease=slot.lease,
            cores=cores,
            threads=computing_threads(cores),
            grace_s=settings.grace,
            deadline_s=settings.deadline,
        )
        replace_whole(errand.token_file, [errand.token.encode()])  # ends earlier attempts
        future = self._cluster.client.submit(
            supervise,
            pickle.dumps(errand),
            key=f"maskmill-{errand.token}",
            workers=[slot.worker],
            allow_other_workers=False,
            pure=False,
        )
        future.add_done_callback(lambda _: self._news.set())
        self.running[errand.token] = Attempt(job, slot, errand, future)

    def _is_over(self, attempt: Attempt) -> bool:
        if attempt.future.done():
            return True
        if attempt.slot.worker in self._cluster.workers:
            attempt.left = None
            return False
        now = time.monotonic()
        attempt.left = now if attempt.left is None else attempt.left
        return _receipt(attempt.errand) is not None or now - attempt.left > LEAVES_S

    def _end(self, attempt: Attempt) -> tuple[Job, Outcome]:
        job, report = attempt.job, self._report(attempt)
        outcome = report.outcome
        if outcome.fault:
            self._shunned.setdefault(job.name, set()).add(attempt.slot.host)
            JobProgress(self._workspace.progress, job.name).__exit__()
        elif isinstance(outcome.error, InterruptedRunError) and not self._told:
            outcome = self._moved(job, attempt.slot.host)
        elif outcome.error is None:
            outcome = self._seen(attempt, outcome)
        return job, outcome

    def _report(self, attempt: Attempt) -> Report:
        """From the worker, or from what its job left on the disk."""
        host, found = attempt.slot.host, _receipt(attempt.errand)
        if attempt.future.status == "finished":
            if found is not None and not isinstance(found.error, InterruptedRunError):
                return Report(host, found)  # sooner than through the scheduler
            report: Report = pickle.loads(attempt.future.result())
            return report
        why = "left the cluster"
        if attempt.future.status == "error":
            why = repr(attempt.future.exception())
        with suppress(Exception):
            attempt.future.cancel()
        return Report(host, found or Outcome(attempt.job.name, fault=f"{host}: {why}"))

    def _moved(self, job: Job, host: str) -> Outcome:
        """A job that has saved its state, since its worker ends."""
        self._moves[job.name] += 1
        if self._moves[job.name] > MOST_MOVES:
            return Outcome(job.name, fault=f"{host}: it was told to move {MOST_MOVES} times")
        self._reporter.say(f"{job.name} saved its state on {host}, which ends, and moves")
        return Outcome(job.name, taken=True)

    def _seen(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """The outcome, if this machine sees what the job has made."""
        until, expected = time.monotonic() + APPEARS_S, [attempt.errand.receipt, *attempt.job.makes]
        while unseen := [path for path in expected if not _exists(path)]:
            if time.monotonic() > until:
                text = (
                    f"{outcome.name}: {attempt.slot.host} wrote {unseen[-1]} where this machine "
                    "cannot see it; is runs/ on a disk that both share?"
                )
                return replace(outcome, error=ResourceError(text))
            time.sleep(TICK_S)
        return outcome

    def _hear(self, event: Any) -> None:
        """From Dask's own thread: lines that a job has printed."""
        told = event[1] if isinstance(event, tuple) else event
        where = f"{told['job']} on {told['host']}"
        self._lines.extend(f"{where}: {line}" for line in told["lines"])

    def _print(self) -> None:
        while self._lines:
            self._reporter.say(self._lines.popleft())

    def _say_waiting(self, is_waiting: bool) -> None:
        """Show that jobs wait for a worker."""
        if not is_waiting:
            self._alone_since = None
            if self._note is not None:
                self._note.__exit__()
                self._note = None
            return
        now = time.monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        if self._note is None and now - self._alone_since > SAYS_S:
            self._note = JobProgress(self._workspace.progress, "jobs")
            self._note.update(0, 0, f"wait for a worker at {self._cluster.address}")


def open_dask(cluster: Cluster) -> Any:
    """An `OpenEngine` on that cluster."""

    def opened(machine: Machine, cores: int, workspace: Workspace, reporter: Reporter) -> Dask:
        return Dask(cluster, workspace, reporter)

    return opened


def _receipt(errand: Errand) -> Outcome | None:
    """The outcome that the job has left on the shared disk."""
    if not _exists(errand.receipt):
        return None
    outcome: Outcome = pickle.loads(errand.receipt.read_bytes())
    return outcome


def _exists(path: Path) -> bool:
    """Listing the folder has a network disk look again."""
    with suppress(OSError):
        return path.name in os.listdir(path.absolute().parent)  # noqa: PTH208
    return False
