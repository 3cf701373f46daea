"""Jobs on a cluster that is not there: who gets which job, and what becomes of lost ones."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import InterruptedRunError, ResourceError
from pipeline.execution.attempts import run_apart
from pipeline.execution.cluster import engine
from pipeline.execution.cluster.engine import RemoteCrew
from pipeline.execution.cluster.errand import Errand, Report
from pipeline.execution.cluster.settings import ClusterSettings
from pipeline.execution.cluster.team import Team
from pipeline.execution.jobs import Job, Outcome
from pipeline.interruption import StopFlag
from pipeline.reporting import SilentReporter
from pipeline.workspace import Workspace
from tests.execution.test_cluster_team import machine

Fate = Callable[[Errand, str], Any]
"""What becomes of an attempt on a worker: an Outcome, an exception, or None: it runs on."""


class FakeFuture:
    def __init__(self, fate: Any) -> None:
        self._fate = fate
        self.status = "pending"
        if isinstance(fate, Report):
            self.status = "finished"
        elif fate is not None:
            self.status = "error"

    def done(self) -> bool:
        return self.status != "pending"

    def result(self) -> bytes:
        return pickle.dumps(self._fate)

    def exception(self) -> Any:
        return self._fate

    def cancel(self) -> None:
        self.status = "cancelled"

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        if self.done():
            call(self)


class FakeCluster:
    """Workers of these hosts; `fate` says what becomes of each attempt."""

    def __init__(self, fate: Fate, hosts: tuple[str, ...] = ("a", "b"), slots: int = 1) -> None:
        self.team, self.settings = Team(), ClusterSettings(local=2)
        for host in hosts:
            self.team.add(f"worker-{host}", slots, machine(host))
        self.fate, self.begun, self.called = fate, list[tuple[str, str]](), list[str]()
        self.client = SimpleNamespace(
            submit=self._submit, subscribe_topic=lambda *_: None, unsubscribe_topic=lambda *_: None
        )
        self.cores, self.address = 1, "tcp://fake:1"

    @property
    def workers(self) -> dict[str, Any]:
        return self.team.known

    def refresh(self) -> None: ...

    def lasts(self, worker: str) -> bool:
        return True

    def call(self, function: Any, *arguments: Any) -> None:
        self.called.append(function.__name__)

    def _submit(self, function: Any, order: bytes, *, workers: list[str], **_: Any) -> FakeFuture:
        errand: Errand = pickle.loads(order)
        self.begun.append((errand.name, workers[0].removeprefix("worker-")))
        assert errand.token_file.read_text() == errand.token
        fate = self.fate(errand, workers[0])
        if isinstance(fate, Outcome) and not fate.fault and fate.error is None:
            errand.receipt.write_bytes(pickle.dumps(fate))
        return FakeFuture(Report("host", fate) if isinstance(fate, Outcome) else fate)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TICK_S", "APPEARS_S", "LEAVES_S", "SAYS_S"):
        monkeypatch.setattr(engine, name, 0.05)


def jobs(*names: str, **changes: Any) -> list[Job]:
    return [Job(name, print, (), **changes) for name in names]


def run(
    cluster: FakeCluster, given: list[Job], folder: Path, reporter: SilentReporter | None = None
) -> dict[str, Outcome]:
    said = reporter or SilentReporter()
    workspace = Workspace("x", folder, "here")
    workspace.progress.mkdir(parents=True)
    crew = RemoteCrew(cluster, workspace, said)  # type: ignore[arg-type]
    with crew:
        return {each.name: each for each in run_apart(crew, given, StopFlag(), said)}


def test_every_job_runs_once_and_its_value_comes_back(tmp_path: Path) -> None:
    cluster = FakeCluster(lambda errand, _: Outcome(errand.name, errand.name.upper()))
    ended = run(cluster, jobs("p", "q", "r"), tmp_path)
    assert {name: each.value for name, each in ended.items()} == {"p": "P", "q": "Q", "r": "R"}
    assert sorted(name for name, _ in cluster.begun) == ["p", "q", "r"]


def test_a_poisonous_job_is_given_up_after_three_attempts_and_costs_no_other(
    tmp_path: Path,
) -> None:
    def fate(errand: Errand, worker: str) -> Any:
        return (
            Outcome(errand.name, fault="h: killed")
            if errand.name == "bad"
            else Outcome(errand.name)
        )

    reporter = SilentReporter()
    cluster = FakeCluster(fate)
    ended = run(cluster, jobs("bad", "p", "q", "r"), tmp_path, reporter)
    assert isinstance(ended["bad"].error, ResourceError) and "died 3×" in str(ended["bad"].error)
    names = [name for name, _ in cluster.begun]
    assert {name: names.count(name) for name in names} == {"bad": 3, "p": 1, "q": 1, "r": 1}
    assert len(reporter.warned) == 2 and "bad" in reporter.warned[0]


def test_a_job_that_died_on_a_host_tries_another_one(tmp_path: Path) -> None:
    """A broken machine is free again first, and would take all attempts of all jobs."""

    def fate(errand: Errand, worker: str) -> Any:
        broken = worker == "worker-a"
        return Outcome(errand.name, fault="a: no GPU" if broken else "")

    cluster = FakeCluster(fate)
    ended = run(cluster, jobs(*"pqrstu"), tmp_path)
    assert not any(each.error for each in ended.values())
    for name in "pqrstu":
        assert [host for each, host in cluster.begun if each == name] in (["b"], ["a", "b"])


def test_two_hosts_never_write_the_files_of_one_store(tmp_path: Path) -> None:
    store = frozenset([Path("maps/oof")])
    cluster = FakeCluster(lambda *_: None, hosts=("a", "b"), slots=2)
    workspace = Workspace("x", tmp_path, "here")
    workspace.progress.mkdir(parents=True)
    crew = RemoteCrew(cluster, workspace, SilentReporter())  # type: ignore[arg-type]
    waiting = deque(jobs("0", "1", "2", writes=store) + jobs("other"))
    crew.begin(waiting)
    hosts = dict(cluster.begun)
    assert hosts["0"] == hosts["1"] != hosts["other"]
    assert [job.name for job in waiting] == ["2"]


def test_a_job_whose_worker_ends_moves_and_is_not_blamed(tmp_path: Path) -> None:
    left = [7]

    def fate(errand: Errand, worker: str) -> Any:
        if errand.name == "long" and left[0]:
            left[0] -= 1
            return Outcome(errand.name, error=InterruptedRunError(15))
        return Outcome(errand.name)

    reporter = SilentReporter()
    ended = run(FakeCluster(fate), jobs("long", "p"), tmp_path, reporter)
    assert ended["long"].error is None and not reporter.warned
    assert "long saved its state on a" in "".join(reporter.said)


def _receipt(errand: Errand, outcome: Outcome) -> None:
    errand.receipt.write_bytes(pickle.dumps(outcome))


def test_what_a_lost_worker_has_left_on_the_disk_is_not_lost(tmp_path: Path) -> None:
    def fate(errand: Errand, worker: str) -> None:
        _receipt(errand, Outcome(errand.name, "done"))
        cluster.team.remove(worker)

    cluster = FakeCluster(fate)
    ended = run(cluster, jobs("p", "q"), tmp_path)
    assert {each.value for each in ended.values()} == {"done"}


def test_a_job_of_a_lost_worker_runs_again_elsewhere(tmp_path: Path) -> None:
    def fate(errand: Errand, worker: str) -> Any:
        if worker != "worker-b":
            return cluster.team.remove(worker)
        return Outcome(errand.name)

    cluster, reporter = FakeCluster(fate), SilentReporter()
    ended = run(cluster, jobs("p", "q"), tmp_path, reporter)
    assert not any(each.error for each in ended.values())
    assert reporter.warned == ["a worker died during p; run again (a: left the cluster)"]


def test_a_result_that_is_not_seen_here_names_who_wrote_it(tmp_path: Path) -> None:
    cluster = FakeCluster(lambda errand, _: Outcome(errand.name))
    ended = run(cluster, jobs("p", makes=(tmp_path / "manifest.json",)), tmp_path)
    assert str(ended["p"].error).startswith(f"p: a wrote {tmp_path / 'manifest.json'} where this")


def test_a_stop_is_told_once_and_nothing_begins_after_it(tmp_path: Path) -> None:
    stop = StopFlag()

    def fate(errand: Errand, worker: str) -> Any:
        stop.signal_number = 15
        return Outcome(errand.name, error=InterruptedRunError(15))

    cluster = FakeCluster(fate, hosts=("a",))
    workspace = Workspace("x", tmp_path, "here")
    workspace.progress.mkdir(parents=True)
    crew = RemoteCrew(cluster, workspace, SilentReporter())  # type: ignore[arg-type]
    with crew:
        crew.begin(deque(jobs("p")))
        for _ in range(3):
            crew.signal_stop()
        (ended,) = run_apart(crew, jobs("q"), stop, SilentReporter())
    assert cluster.called == ["stop_run"] and isinstance(ended.error, InterruptedRunError)
    assert [name for name, _ in cluster.begun] == ["p"]
