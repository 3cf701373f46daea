"""What CLUSTER= says: the address of a scheduler, or a YAML file that says how to start workers."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from pipeline.config.base import Block
from pipeline.config.mistakes import describe_mistakes
from pipeline.config.reading import parse_yaml
from pipeline.errors import ConfigError
from pipeline.suggestions import shortened

Text = Annotated[str, Field(min_length=1, max_length=4000)]
Seconds = Annotated[float, Field(gt=0, le=10**8)]
STARTS = ("local", "ssh", "slurm", "scheduler")


class TlsFiles(Block):
    """Certificates (PEM) by which driver, scheduler and workers know each other."""

    ca: Text
    """Of the authority that has signed the certificate."""
    certificate: Text
    key: Text


class SlurmConfig(Block):
    """Jobs of Slurm, one worker each, that are submitted again when their walltime is over."""

    jobs: int = Field(1, ge=1, le=10_000)
    """Workers, each in a Slurm job of its own."""
    cpus: int = Field(4, ge=1, le=1024)
    """CPU cores of each."""
    memory: Text = "32GB"
    """Of each."""
    gpus: int = Field(0, ge=0, le=16)
    """Of each: so many jobs of Maskmill it runs at once; 0: one, on its CPU cores."""
    walltime: str = Field("08:00:00", pattern=r"^(\d+-)?\d{1,3}:\d\d:\d\d$")
    """hours:minutes:seconds, or days-hours:minutes:seconds."""
    queue: Text | None = None
    account: Text | None = None
    directives: tuple[Text, ...] = ()
    """More options of sbatch, such as `--constraint=a100`."""
    prologue: tuple[Text, ...] = ()
    """Lines of shell before the worker starts, such as `module load cuda`."""
    python: Text | None = None
    """The Python of the workers (default: this one)."""

    @property
    def slots(self) -> int:
        """Jobs at once on each."""
        return max(1, self.gpus)

    @property
    def seconds(self) -> int:
        """The walltime."""
        days, _, clock = self.walltime.rpartition("-")
        hours, minutes, seconds = map(int, clock.split(":"))
        return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


class ClusterSettings(Block):
    """One of `local`, `ssh`, `slurm` and `scheduler`, and what holds for all."""

    local: int | None = Field(None, ge=1, le=1024)
    """So many workers on this machine."""
    ssh: tuple[Text, ...] | None = Field(None, min_length=1)
    """Host names; the scheduler runs on the first one, a worker on each."""
    slurm: SlurmConfig | None = None
    scheduler: str | None = Field(None, pattern=r"^(tcp|tls)://\S+:\d+$")
    """The address of a scheduler that runs already."""
    slots: int | None = Field(None, ge=1, le=1024)
    """Jobs at once on each host of `ssh` (default: its GPUs, or 1)."""
    interface: Text | None = None
    """The network interface that scheduler and workers listen on, such as ib0."""
    tls: TlsFiles | None = None
    grace: Seconds = 120
    """Seconds that a job may take to save its state when it is told to stop."""
    deadline: Seconds | None = None
    """Seconds after which a job is taken for hung, stopped, and run again."""
    wait: Seconds = 600
    """Seconds to wait for the first worker."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = [each for each in STARTS if getattr(self, each) is not None]
        if len(named) != 1:
            raise ValueError(f"needs one of {', '.join(STARTS)}; has {' and '.join(named) or 'no'}")
        remote = self.slurm is not None or (self.ssh is not None and not _is_loopback(self.ssh[0]))
        if remote and self.tls is None and self.interface is None:
            raise ValueError(
                "the scheduler would listen on all interfaces, and whoever reaches its port can "
                "run code as you; give tls: {ca, certificate, key}, or interface: of a network "
                "that nobody else is in"
            )
        if self.scheduler is not None and self.scheduler.startswith("tls:") and self.tls is None:
            raise ValueError("a tls:// scheduler needs tls: {ca, certificate, key}")
        return self

    @property
    def expected(self) -> int:
        """Workers that will be there; 1 where nobody can know."""
        return self.local or len(self.ssh or ()) or (self.slurm.jobs if self.slurm else 1)


def cluster_settings(given: str) -> ClusterSettings:
    """Of `tcp://host:8786` or of the YAML file of that name; ConfigError with every mistake."""
    if re.match(r"\w+://", given):
        return _valid({"scheduler": given}, f"CLUSTER={shortened(given)}")
    if not Path(given).is_file():
        raise ConfigError(
            f"CLUSTER={shortened(given)} is neither an address such as tcp://host:8786 nor a YAML "
            "file; see docs/cluster.md"
        )
    raw = parse_yaml(Path(given).read_text(errors="replace"), given)
    if not isinstance(raw, dict):
        raise ConfigError(f"{given} is not a cluster (a YAML mapping with {', '.join(STARTS)})")
    return _valid(raw, given)


def _valid(raw: dict[str, Any], where: str) -> ClusterSettings:
    try:
        return ClusterSettings.model_validate(raw)
    except ValidationError as error:
        lines = describe_mistakes(error, raw, raw, ClusterSettings)
        raise ConfigError(f"{where} has {len(lines)} mistake(s):\n" + "\n".join(lines)) from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
