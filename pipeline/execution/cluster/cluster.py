"""A cluster during one command: its workers, as they come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import ResourceError
from pipeline.execution.cluster import probe
from pipeline.execution.cluster.facts import Facts, Question, versions
from pipeline.execution.cluster.launch import connect, launch
from pipeline.execution.cluster.settings import ClusterSettings
from pipeline.execution.cluster.tasks import tell_facts, tell_versions
from pipeline.execution.cluster.team import Team
from pipeline.execution.devices import Machine
from pipeline.interruption import started_without_signals
from pipeline.reporting import Reporter

LOOK_S = 1.0  # between looks at which workers there are
KEEP_S = 30.0  # between requests for workers that have left
LEAST_S = 30.0  # that a lease must still last for a job to begin


@dataclass(frozen=True)
class Looked:
    """A worker, and what is wrong with it."""

    worker: str
    threads: int
    facts: Facts | None
    shares_disk: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Cluster:
    """The connection to a scheduler, and its workers. See `open_cluster`."""

    def __init__(
        self, settings: ClusterSettings, team: Team, runs: Path, data: Path | None, say: Reporter
    ) -> None:
        self.settings, self.team = settings, team
        self._runs, self._data, self._reporter = runs, data, say
        self._looks: dict[str, Future[Looked]] = {}
        self._refused: dict[str, Looked] = {}
        self._last_look = self._last_scale = 0.0
        self._threads = ThreadPoolExecutor(32)
        with started_without_signals():
            self._started = launch(settings)
            try:
                self.client = connect(settings, self._started)
            except BaseException:
                self._end_started()
                raise

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self.client.scheduler.address)

    @property
    def workers(self) -> dict[str, Facts]:
        """Those that may be given jobs."""
        return self.team.known

    def machine(self) -> Machine:
        """All slots as if they were of one machine; waits for the workers that are expected."""
        self.await_workers()
        slots, settings = self.team.slots, self.settings
        wanted = settings.expected * settings.slurm.slots if settings.slurm else 0
        count = max(len(slots), min(wanted, self.team.limit or wanted))
        device = "cuda:0" if slots[0].gpu else "cpu"
        return Machine((device,) * count, self.cores * count)

    @cached_property
    def cores(self) -> int:
        """CPU cores of each job: results can depend on them, so they stay as they were first."""
        return self.team.cores_each

    def await_workers(self) -> None:
        """Wait for the workers that are expected (of Slurm for the first); ResourceError if none
        comes, or if something is wrong with one.
        """
        problem = self._scheduler_problem()
        if problem:
            raise ResourceError(problem)
        wanted = 1 if self.settings.slurm else self.settings.expected
        until = time.monotonic() + self.settings.wait
        self._reporter.say(f"cluster: {self.address}, waiting for {wanted} worker(s)")
        while len(self.team.known) < wanted or self._looks:
            self.refresh(now=True)
            if self._refused:
                lines = [line for each in self._refused.values() for line in each.problems]
                raise ResourceError("\n".join(dict.fromkeys(lines)))
            if time.monotonic() > until:
                raise ResourceError(
                    f"{len(self.team.known)} of {wanted} worker(s) came to {self.address} within "
                    f"{self.settings.wait:g} s; start them, or set `wait`"
                )
            time.sleep(0.1)
        if not self.team.slots:
            raise ResourceError(f"no worker at {self.address} has a free device; see make cluster")

    def refresh(self, now: bool = False) -> None:
        """Look which workers there are, at most once a second; new ones are asked for facts."""
        if not now and time.monotonic() - self._last_look < LOOK_S:
            return
        self._last_look = time.monotonic()
        self.keep_number()
        there = self.there()
        for worker in self.team.known.keys() - there.keys():
            self.team.remove(worker)
        for worker in there.keys() - {*self.team.known, *self._looks, *self._refused}:
            self._looks[worker] = self._threads.submit(self.look, worker, there[worker])
        for worker in [worker for worker, look in self._looks.items() if look.done()]:
            self._take(self._looks.pop(worker).result(), worker in there)

    def lasts(self, worker: str) -> bool:
        """True if a job may begin there: its lease does not end at once."""
        until = self.team.known[worker].until
        return until is None or time.time() + LEAST_S < until

    def look_at_all(self) -> list[Looked]:
        """Every worker that is there, asked now, in the order of their addresses."""
        there = sorted(self.there().items())
        return list(self._threads.map(lambda each: self.look(*each), there))

    def look(self, worker: str, threads: int) -> Looked:
        """Ask one worker what it is and sees."""
        with probe.question(self._runs, self._data) as question:
            asked = time.time()
            answer = self._ask(worker, question)
            if isinstance(answer, str):
                return Looked(worker, threads, None, False, (f"{worker}: {answer}",))
            found = probe.answered(answer, asked)
            shared = probe.shares_disk(question, answer)
            problems = tuple(probe.problems(question, found))
            return Looked(
                worker, threads, answer, shared, problems, tuple(probe.warnings(question, answer))
            )

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have every worker call a function, without waiting for one that hangs."""
        self._threads.submit(self.client.run, function, *arguments, on_error="ignore")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with suppress(OSError):  # there if a question was asked, and full if others ask
            (self._runs / ".probe").rmdir()
        with suppress(Exception):  # a scheduler that is gone
            self.client.close(timeout=5)
        self._end_started()

    def _ask(self, worker: str, question: Question) -> Facts | str:
        try:
            answers = self.client.run(tell_facts, question, workers=[worker], on_error="return")
        except Exception as error:
            return f"does not answer ({error!r})"
        answer = answers.get(worker, "it has left")
        if isinstance(answer, Facts | str):
            return answer
        return f"it cannot run Maskmill ({answer!r}). Install the same environment on all machines"

    def _scheduler_problem(self) -> str:
        """What keeps the scheduler from taking tasks: it imports the function of each."""
        try:
            theirs = self.client.run_on_scheduler(tell_versions)
        except Exception as error:
            return (
                f"the scheduler at {self.address} cannot run Maskmill ({error!r}). Start it in the "
                "environment of the workers"
            )
        mine = versions()
        names = ("Python", "distributed", "maskmill", "the source of maskmill")
        other = [
            f"{name} is {theirs.get(name, 'missing')} there and {mine[name]} here"
            for name in names
            if theirs.get(name) != mine[name]
        ]
        return f"the scheduler at {self.address}: {'; '.join(other)}" if other else ""

    def there(self) -> dict[str, int]:
        """The threads of each worker, by its address."""
        workers: dict[str, Any] | None = None
        with suppress(Exception):
            workers = self.client.scheduler_info()["workers"]
        if workers is None or self.client.status not in ("running", "newly-created"):
            raise ResourceError(
                f"the connection to the scheduler at {self.settings.scheduler or 'this machine'} "
                "was lost; its jobs save their state. Start it, and run the same command again"
            )
        return {address: int(each["nthreads"]) for address, each in workers.items()}

    def _take(self, looked: Looked, is_there: bool) -> None:
        for line in looked.warnings:
            self._reporter.warn(line)
        if not is_there:
            return
        if looked.problems or looked.facts is None:
            self._refused[looked.worker] = looked
            for line in looked.problems if self.team.known else ():
                self._reporter.warn(f"a worker gets no jobs: {line}")
            return
        self.team.add(looked.worker, looked.threads, looked.facts)

    def keep_number(self) -> None:
        """Have Slurm start workers in place of those whose walltime is over: Dask does not."""
        slurm = self.settings.slurm
        if slurm is not None and time.monotonic() - self._last_scale > KEEP_S:
            self._last_scale = time.monotonic()
            self._started.scale(jobs=slurm.jobs)

    def _end_started(self) -> None:
        if self._started is not None:
            with suppress(Exception):
                self._started.close(timeout=20)


@contextmanager
def open_cluster(
    settings: ClusterSettings,
    runs: Path,
    data: Path | None,
    reporter: Reporter,
    jobs: int | None = None,
    devices: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Start it or connect to it, and leave it afterwards.

    jobs: the most at once; devices: `cpu` alone, or all. Raises ConfigError, ResourceError.
    """
    team = Team("cpu" in devices, jobs, settings.slurm is not None)
    cluster = Cluster(settings, team, runs, data, reporter)
    try:
        yield cluster
    finally:
        cluster.close()
