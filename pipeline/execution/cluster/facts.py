"""What a machine of a cluster is and sees, told by itself; light, since every worker imports it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from pipeline import __version__
from pipeline.cores import usable_cores
from pipeline.disk_space import free_bytes
from pipeline.execution.cluster.supervisor import UNTIL
from pipeline.host import host_name

PACKAGES = (
    "torch", "torchvision", "timm", "segmentation-models-pytorch", "lightning-fabric", "numpy",
    "scipy", "numba", "opencv-python-headless", "albumentations", "pillow", "pandas", "pydantic",
    "distributed",
)  # fmt: skip
HEAD = 2**16  # bytes of a file that two machines compare
_COUNT = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True)
class Question:
    """What a worker is asked. All paths are absolute."""

    folder: Path
    """The driver's working directory."""
    probe: Path
    """A folder below `runs/` that the driver has made for this question."""
    secret: str
    """What the driver has written there."""
    data: Mapping[Path, str] = field(default_factory=dict)
    """Files of the data, and the digest of each."""
    patience_s: float = 15.0
    """So long a network disk may take to show what another machine has written."""


@dataclass(frozen=True)
class Facts:
    """The answer."""

    host: str
    python: str
    versions: Mapping[str, str]
    """Of Maskmill, of its source, and of the packages that numbers depend on."""
    clock: float
    """Unix time."""
    cores: int
    memory: int
    gpus: tuple[str, ...]
    """Numbers or UUIDs of those that the worker sees."""
    temporary: int
    """Free bytes of the local disk for temporary files."""
    free: int
    """Free bytes at `runs/`, as this machine sees it."""
    folder_there: bool = True
    secret_seen: bool = True
    locked_out: bool = True
    """True if the driver's lock holds here."""
    missing_data: tuple[Path, ...] = ()
    """Files that are not there, or others."""
    wrote: str = ""
    """The secret of this machine, in a file of that name in the probe's folder; "": none."""
    until: float | None = None
    """The Unix time at which the lease of this machine ends."""


def facts(question: Question) -> Facts:
    """Of this machine."""
    until = os.environ.get(UNTIL, "")
    return Facts(
        host=host_name(),
        python=platform.python_version(),
        versions=versions(),
        clock=time.time(),
        cores=usable_cores(),
        memory=psutil.virtual_memory().total,
        gpus=gpus(),
        temporary=free_bytes(Path(tempfile.gettempdir())),
        free=free_bytes(question.folder),
        folder_there=question.folder.is_dir(),
        secret_seen=_sees(question),
        locked_out=_is_locked_out(question.probe / "lock"),
        missing_data=tuple(
            path for path, digest in question.data.items() if file_head(path) != digest
        ),
        wrote=_write(question.probe),
        until=float(until) if until else None,
    )


def versions() -> dict[str, str]:
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return {**found, "maskmill": __version__, "the source of maskmill": _source()}


@cache
def _source() -> str:
    """A digest of this package's code: two checkouts may have one version."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def gpus() -> tuple[str, ...]:
    """By number or UUID, as CUDA_VISIBLE_DEVICES of this process or the driver knows them."""
    if not Path("/dev/nvidiactl").exists() and not Path("/dev/kfd").exists():
        return ()
    done = subprocess.run(
        [sys.executable, "-c", _COUNT], capture_output=True, text=True, check=False, timeout=300
    )
    count = int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0
    shown = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    named = [each for each in shown if each]
    return tuple(named[n] if n < len(named) else str(n) for n in range(count))


def file_head(path: Path) -> str:
    """A digest of a file's size and first bytes; "" where there is none."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return hashlib.sha256(f"{size} ".encode() + stream.read(HEAD)).hexdigest()[:16]
    except OSError:
        return ""


def appears(path: Path, content: str, patience_s: float) -> bool:
    """True if a file has that content, now or soon; listing its folder has a network disk look."""
    until = time.monotonic() + patience_s
    while True:
        with suppress(OSError):
            _ = list(path.parent.iterdir())
            if path.read_text() == content:
                return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def _sees(question: Question) -> bool:
    is_visible = question.folder.is_dir()
    patience = question.patience_s if is_visible else 0.0
    return appears(question.probe / "driver", question.secret, patience)


def _is_locked_out(path: Path) -> bool:
    try:
        with path.open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write(folder: Path) -> str:
    secret = secrets.token_hex(8)
    try:
        (folder / secret).write_text(secret)
    except OSError:
        return ""
    return secret
