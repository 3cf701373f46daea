"""What travels between the driver, a worker's thread and the process of a job.

Everything is handed over as bytes: Dask's scheduler unpickles the arguments of a task, and must
need nothing of this package's data to do so.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.jobs import Outcome
from pipeline.host import slug
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Errand:
    """One attempt at one job. All paths are absolute, on the disk that all machines share."""

    run: str
    """Whose jobs are stopped together: those of one stage of one invocation."""
    name: str
    token: str
    """Of this attempt; see `pipeline.fence`."""
    job: bytes
    """The pickled Job, unpickled by the process that runs it alone."""
    folder: Path
    """The driver's working directory, which relative paths start from."""
    workspace: Workspace
    gpu: str
    """The number or UUID by which the worker's machine knows the GPU of the job; "": none."""
    lease: str
    """The name of that device's lock."""
    cores: int
    threads: int
    grace_s: float
    """So long a job may take to save its state before it is killed."""
    deadline_s: float | None

    @property
    def token_file(self) -> Path:
        """Holds the token of the latest attempt at this job."""
        name = f"{slug(self.name)[:60]}-{zlib.crc32(self.name.encode()):08x}.token"
        return self.workspace.progress / name

    @property
    def receipt(self) -> Path:
        """The pickled outcome, left on the shared disk: it outlives the worker."""
        return self.workspace.progress / f"{self.token}.outcome"


@dataclass(frozen=True)
class Report:
    """What a worker's thread says of an attempt."""

    host: str
    outcome: Outcome
    is_lasting: bool = True
    """False if the job did not end by itself, but was told to move to another worker."""
