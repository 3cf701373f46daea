"""The functions that a driver has Dask's workers and scheduler call. They import this module."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from typing import Any

from pipeline.execution.cluster.errand import Errand
from pipeline.execution.cluster.facts import Facts, Question, facts, versions
from pipeline.execution.cluster.supervisor import UNTIL, make_ready, run_errand
from pipeline.host import host_name

STOPPED: set[str] = set()
"""The runs whose jobs are to stop. By run: the worker goes on with the jobs of others."""
RUNNING = ("executing", "long-running")


def stop_run(run: str) -> None:
    """Have the jobs of that run save their state and end, on this worker."""
    STOPPED.add(run)


async def tell_facts(question: Question) -> Facts:
    """Of this worker's machine; beside its jobs, and without a slot."""
    await asyncio.to_thread(make_ready)
    return await asyncio.to_thread(facts, question)


def tell_versions() -> dict[str, str]:
    """Of the scheduler."""
    return versions()


def topic(run: str) -> str:
    """The topic of the events in which the jobs of that run send what they print."""
    return f"maskmill-{run}"


def supervise(order: bytes) -> bytes:
    """Run an attempt at a job in a process of its own; the pickled Report.

    order: the pickled Errand.
    """
    from distributed import get_worker

    worker, errand = get_worker(), _run_and_name(order)
    key = worker.get_current_task()

    def why_stop() -> str:
        return _why_stop(worker, key, errand[0])

    def tell(lines: list[str]) -> None:
        if lines:
            event = {"job": errand[1], "host": host_name(), "lines": lines}
            worker.log_event(topic(errand[0]), event)

    return pickle.dumps(run_errand(order, why_stop, tell))


def _run_and_name(order: bytes) -> tuple[str, str]:
    errand: Errand = pickle.loads(order)
    return errand.run, errand.name


def _why_stop(worker: Any, key: Any, run: str) -> str:
    if run in STOPPED:
        return "stopped"
    if worker.status.name not in ("running", "paused"):
        return "the worker is leaving"
    task = worker.state.tasks.get(key)
    if task is None or task.state not in RUNNING:
        return "nobody waits for it"  # its driver is gone
    until = os.environ.get(UNTIL)
    return "the lease of its machine ends" if until and time.time() > float(until) else ""
