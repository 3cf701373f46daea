"""A Dask scheduler and workers on loopback, each as a process that knows another host name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.helpers.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
DASK = [sys.executable, "-m", "dask"]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **more}


@dataclass
class Loopback:
    """The processes; workers by host name."""

    folder: Path
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin_scheduler(self) -> None:
        port_file = self.folder / "scheduler.json"
        self.scheduler = self._begin(
            "scheduler", ["--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                          "--scheduler-file", str(port_file)],
            {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s"},
        )  # fmt: skip
        wait_until(port_file.exists)
        self.address = port_file.read_text().split('"address": "')[1].split('"')[0]

    def begin_worker(self, host: str, **variables: str) -> None:
        arguments = [self.address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard",
                     "--host", "127.0.0.1", "--death-timeout", "30"]  # fmt: skip
        self.workers[host] = self._begin("worker", arguments, {"MASKMILL_HOST": host, **variables})

    def _begin(
        self, what: str, arguments: list[str], variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        folder = self.folder / variables.get("MASKMILL_HOST", what)
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*DASK, what, *arguments],
                cwd=folder,
                env=environment(**variables),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def worker_process(self, host: str) -> psutil.Process:
        """The worker itself, below its nanny."""
        nanny = psutil.Process(self.workers[host].pid)
        found = [each for each in nanny.children() if "spawn_main" in " ".join(each.cmdline())]
        return found[0]

    def jobs(self) -> list[psutil.Process]:
        """Processes of jobs, also those that wait for one."""
        found = []
        for each in psutil.process_iter(["cmdline", "environ"]):
            with suppress(psutil.Error):
                is_child = "pipeline.execution.cluster.child" in (each.info["cmdline"] or [])
                if is_child and (each.info["environ"] or {}).get("MASKMILL_HOST") in self.workers:
                    found.append(each)
        return found

    def close(self) -> None:
        for process in [*self.workers.values(), self.scheduler]:
            if process is not None:
                with suppress(psutil.NoSuchProcess):
                    for each in psutil.Process(process.pid).children(recursive=True):
                        with suppress(psutil.NoSuchProcess):
                            each.kill()
                process.kill()
                process.wait()


@contextmanager
def loopback(folder: Path, hosts: tuple[str, ...] = ("box-a", "box-b")) -> Iterator[Loopback]:
    """A scheduler, and a worker a host; all end with the block."""
    folder.mkdir(exist_ok=True)
    cluster = Loopback(folder)
    try:
        cluster.begin_scheduler()
        for host in hosts:
            cluster.begin_worker(host)
        yield cluster
    finally:
        cluster.close()
