"""A driver in a process of its own: `python -m tests.helpers.cluster_driver CLUSTER FOLDER JOBS`.

JOBS: JSON, [[name, function of tests.helpers.cluster_jobs, argument, …], …]. Prints values as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pipeline.errors import MaskmillError
from pipeline.execution.cluster.cluster import open_cluster
from pipeline.execution.cluster.engine import open_dask
from pipeline.execution.cluster.settings import cluster_settings
from pipeline.execution.executor import run_jobs
from pipeline.execution.jobs import Job
from pipeline.reporting import SilentReporter
from pipeline.workspace import Workspace
from tests.helpers import cluster_jobs


def main(given: str, folder: Path, jobs: str) -> int:
    workspace, reporter = Workspace("x", folder), SilentReporter()
    made = [
        Job(name, getattr(cluster_jobs, call), tuple(rest))
        for name, call, *rest in json.loads(jobs)
    ]
    try:
        with open_cluster(cluster_settings(given), folder / "runs", None, reporter) as cluster:
            machine, began = cluster.machine(), time.monotonic()
            engine = open_dask(cluster)
            values = run_jobs("test", made, machine, workspace, reporter, engine=engine)
            took = time.monotonic() - began
    except MaskmillError as error:
        sys.stderr.write(f"{error}\n{reporter.warned}")
        return error.exit_code
    told = {"values": values, "seconds": took, "warned": reporter.warned, "said": reporter.said}
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
