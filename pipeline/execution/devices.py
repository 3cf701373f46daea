"""One device for each process: the visible devices are set before it imports anything.

A process that sees all GPUs leaves a context and cached memory on them, and may compute on a wrong
one. Here it sees one, which is `cuda:0` to it, or none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cores import computing_threads, usable_cores
from pipeline.errors import ResourceError
from pipeline.workspace import Workspace

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Machine:
    """The devices jobs may use, one job each, and the CPU cores that they share."""

    devices: tuple[str, ...]
    cores: int

    @classmethod
    def detect(cls, jobs: int | None = None, devices: Sequence[str] | None = None) -> Machine:
        """All CUDA devices, or as many CPU slots as `jobs` (default: a core each).

        devices: just these instead; ResourceError when one of them does not exist here.
        """
        import torch  # here, not above: seconds that stages without a network need not spend

        cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        chosen = list(devices) if devices else cuda
        missing = sorted(set(chosen) - {"cpu", *cuda})
        if missing:
            there = ", ".join([*cuda, "cpu"])
            raise ResourceError(f"no device {', '.join(missing)} here; there is {there}")
        cores = usable_cores()
        if not chosen or chosen == ["cpu"]:
            chosen = ["cpu"] * (jobs or cores)
        slots = chosen[:jobs] if jobs else chosen
        return cls(tuple(slots), cores)

    def locks(self, workspace: Workspace) -> list[Path]:
        """The lock of each device, held by its job, so that no other process starts one there."""
        slots = range(len(self.devices))
        return [workspace.locks / lock_name(self.devices, slot) for slot in slots]

    def cores_each(self, jobs: int) -> int:
        """The CPU cores of each job where there are `jobs` of them."""
        return max(1, self.cores // max(1, min(jobs, len(self.devices))))


def binding(device: str, cores: int, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that bind a new process to `device` and to the threads of some CPU cores.

    environment: of this process; where it shows only some GPUs, `cuda:0` is the first of those.
    """
    threads = computing_threads(cores, environment)
    seen = _identity(device, environment) if is_cuda(device) else ""
    return bound_to(seen, threads)


def bound_to(seen: str, threads: int) -> dict[str, str]:
    """The variables of a process of so many threads that sees one GPU, by number or UUID, or none
    ("").
    """
    return {_VISIBLE: seen, **dict.fromkeys(_POOLS, str(threads))}


def inside(device: str) -> str:
    """The name of `device` in the process that is bound to it."""
    return "cuda:0" if is_cuda(device) else device


def is_cuda(device: str) -> bool:
    return device.startswith("cuda")


def lock_name(
    devices: Sequence[str], slot: int, environment: Mapping[str, str] = os.environ
) -> str:
    """The lock of a slot: the same for all processes that mean the same GPU, or the same CPU slot.

    Processes that are shown other GPUs call other ones `cuda:0`.
    """
    device = devices[slot]
    name = f"cuda{_identity(device, environment)}" if is_cuda(device) else device.replace(":", "")
    return f"{name}-{devices[:slot].count(device)}.lock"


def _identity(device: str, environment: Mapping[str, str]) -> str:
    """A GPU's number or UUID, as the driver knows it."""
    number = device.partition(":")[2] or "0"
    shown = [each.strip() for each in environment.get(_VISIBLE, "").split(",") if each.strip()]
    return shown[int(number)] if int(number) < len(shown) else number
