"""Connects to a scheduler, or starts one and its workers: here, by ssh, or through Slurm."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, ResourceError
from pipeline.execution.cluster.settings import ClusterSettings, SlurmConfig, TlsFiles
from pipeline.execution.cluster.supervisor import UNTIL

SETTINGS = {
    "distributed.worker.daemon": False,
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.worker-ttl": "60s",  # safe, since no job runs in a worker's own process
    "distributed.scheduler.work-stealing": False,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.logging.distributed": "error",
}
CONNECT_S = 30
MARGIN_S = 300
"""So long before the end of a walltime jobs save their state and move."""
SCRATCH = "/tmp"  # of a worker's small files


def require(settings: ClusterSettings) -> None:
    """ConfigError naming the extra if a package is missing."""
    packages = {"distributed": True, "asyncssh": settings.ssh, "dask_jobqueue": settings.slurm}
    missing = [name for name, used in packages.items() if used and find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"CLUSTER= needs the package {' and '.join(missing)}: pip install 'maskmill[cluster]'"
        )


def launch(settings: ClusterSettings) -> Any:
    """The cluster that the settings start (a Dask `SpecCluster`); None for a running scheduler.

    Raises ConfigError without the extra `cluster`, ResourceError if nothing starts.
    """
    require(settings)
    _configure()
    try:
        if settings.local is not None:
            return _local(settings.local)
        if settings.ssh is not None:
            from distributed import SSHCluster

            return SSHCluster(**ssh_options(settings))
        if settings.slurm is not None:
            from dask_jobqueue import SLURMCluster

            cluster = SLURMCluster(**slurm_options(settings, settings.slurm))
            cluster.scale(jobs=settings.slurm.jobs)
            return cluster
    except (OSError, RuntimeError, TimeoutError, ValueError) as error:
        raise ResourceError(f"the cluster does not start: {error}") from None
    return None


def connect(settings: ClusterSettings, started: Any) -> Any:
    """A client of the scheduler (`distributed.Client`); ResourceError if it does not answer."""
    from distributed import Client

    address = settings.scheduler or started.scheduler_address
    security = security_of(settings.tls) or getattr(started, "security", None)
    try:
        return Client(address, security=security, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ResourceError(
            f"the scheduler at {address} does not answer within {CONNECT_S} s ({error}); is it "
            "running, and is the port open?"
        ) from None


def security_of(files: TlsFiles | None) -> Any:
    """Dask's own form of the certificates."""
    if files is None:
        return None
    from distributed.security import Security

    missing = [each for each in (files.ca, files.certificate, files.key) if not _is_file(each)]
    if missing:
        raise ConfigError(f"tls: there is no file {missing[0]}")
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=files.ca,
        **{f"tls_{role}_cert": files.certificate for role in roles},
        **{f"tls_{role}_key": files.key for role in roles},
    )


def ssh_options(settings: ClusterSettings) -> dict[str, Any]:
    """Of `SSHCluster`: the scheduler on the first host, and a worker on each."""
    assert settings.ssh is not None
    listens = {"interface": settings.interface} if settings.interface else {}
    if not listens and settings.tls is None:
        listens = {"host": settings.ssh[0]}  # the settings allow nothing but this machine here
    return {
        "hosts": [settings.ssh[0], *settings.ssh],
        "security": security_of(settings.tls),
        "scheduler_options": {"dashboard": False, **listens},
        "worker_options": {
            "nthreads": settings.slots or 1,
            "memory_limit": 0,
            "death_timeout": 60,
            "local_directory": SCRATCH,
            **({"interface": settings.interface} if settings.interface else {}),
        },
        "remote_python": sys.executable,
        "connect_options": {},
    }


def slurm_options(settings: ClusterSettings, slurm: SlurmConfig) -> dict[str, Any]:
    """Of `SLURMCluster`: one worker a Slurm job, that leaves before its walltime is over."""
    left = max(60, slurm.seconds - MARGIN_S)
    python_path = shlex.quote(str(Path(__file__).parents[3]))
    return {
        "cores": slurm.slots,
        "processes": 1,
        "memory": slurm.memory,
        "job_cpu": slurm.cpus,
        "walltime": slurm.walltime,
        "queue": slurm.queue,
        "account": slurm.account,
        "python": slurm.python or sys.executable,
        "interface": settings.interface,
        "security": security_of(settings.tls),
        "job_name": "maskmill",
        "job_extra_directives": [
            *([f"--gres=gpu:{slurm.gpus}"] if slurm.gpus else []),
            *slurm.directives,
        ],
        "job_script_prologue": [
            *slurm.prologue,
            f"export PYTHONPATH={python_path}:$PYTHONPATH",
            f"export {UNTIL}=$(($(date +%s) + {left}))",
        ],
        "worker_extra_args": [
            *("--memory-limit", "0"),
            *("--lifetime", f"{max(60, slurm.seconds - MARGIN_S // 5)}s"),
            "--no-dashboard",
        ],
        "local_directory": SCRATCH,
        "death_timeout": 60,
        "scheduler_options": {"dashboard": False},
        "silence_logs": "error",
    }


def job_script(settings: ClusterSettings) -> str:
    """What is handed to sbatch for each worker; nothing is submitted."""
    require(settings)
    assert settings.slurm is not None
    from dask_jobqueue.slurm import SLURMJob

    options = slurm_options(settings, settings.slurm)
    for key in ("scheduler_options", "silence_logs"):
        del options[key]
    job = SLURMJob("tcp://scheduler:8786", name="maskmill-0", config_name="slurm", **options)
    return str(job.job_script())


def _local(count: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=None,
        local_directory=SCRATCH,
        silence_logs=logging.ERROR,
        death_timeout=60,
    )


def _configure() -> None:
    import dask

    dask.config.set(SETTINGS)
    os.environ.setdefault("DASK_DISTRIBUTED__WORKER__DAEMON", "False")
    logging.getLogger("distributed").setLevel(logging.ERROR)


def _is_file(path: str) -> bool:
    return Path(path).is_file()
