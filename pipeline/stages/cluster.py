"""cluster: starts the workers of CLUSTER=, or describes those that run."""

from __future__ import annotations

import time

from pipeline.errors import ConfigError, ResourceError
from pipeline.execution.cluster.cluster import Cluster, Looked
from pipeline.interruption import interruptible
from pipeline.stages.context import StageContext

COLUMNS = ("host", "worker", "jobs", "devices", "cores", "memory", "version", "shared disk")
POLL_S = 0.5


def run(context: StageContext) -> None:
    """Show a table of the workers; keep those that were started here until a signal comes.

    Raises ResourceError naming the hosts that cannot work with this machine.
    """
    if not context.cluster:
        raise ConfigError(
            "cluster: which one? CLUSTER=tcp://host:8786 for a scheduler that runs, or "
            "CLUSTER=cluster.yaml for workers to start; see docs/cluster.md"
        )
    workers = context.workers
    _wait(context, workers)
    looked = workers.look_at_all()
    rows = [_row(each) for each in looked]
    context.reporter.table(f"workers at {workers.address}", COLUMNS, rows)
    for line in dict.fromkeys(line for each in looked for line in each.warnings):
        context.reporter.warn(line)
    problems = dict.fromkeys(line for each in looked for line in each.problems)
    if problems:
        raise ResourceError("\n".join(problems))
    if workers.settings.scheduler is None:
        _keep(context, workers)


def _wait(context: StageContext, workers: Cluster) -> None:
    """Until the expected workers are there, or patience ends."""
    wanted, until = workers.settings.expected, time.monotonic() + workers.settings.wait
    with interruptible() as stop:
        while len(workers.there()) < wanted and time.monotonic() < until:
            stop.check()
            time.sleep(POLL_S)


def _row(looked: Looked) -> tuple[str, ...]:
    found = looked.facts
    if found is None:
        return ("?", looked.worker, str(looked.threads), "?", "?", "?", "?", "?")
    same = not any("Install the same" in line for line in looked.problems)
    return (
        found.host,
        looked.worker,
        str(looked.threads),
        f"GPU {', '.join(found.gpus)}" if found.gpus else "cpu",
        str(found.cores),
        f"{found.memory / 2**30:.0f} GiB",
        found.versions["maskmill"] if same else "another",
        "yes" if looked.shares_disk else "no",
    )


def _keep(context: StageContext, workers: Cluster) -> None:
    context.reporter.say(f"now, elsewhere: make train CLUSTER={workers.address}; Ctrl-C ends this")
    with interruptible() as stop:
        while not stop:
            workers.keep_number()
            time.sleep(POLL_S)
