"""The number of cores that this process may use, from CPU affinity and time quotas.

A container, a batch system or `taskset` gives less than the machine has. Threads and loader
processes beyond that take time from each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

MOST_LOADERS = 8
"""Loader processes that a training starts by itself: each takes memory, and a GPU has enough."""


def usable_cores(
    groups: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")
) -> int:
    """The least of the CPU affinity and the quotas of the control groups, rounded up; 1 or more.

    groups: where the control groups are mounted; mine: which of them this process is in.
    """
    cores = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _own_groups(groups, mine) for quota in _quotas(folder)]
    return max(1, min([cores, *(-(-used // period) for used, period in quotas)]))


def loader_workers(cores: int) -> int:
    """Loader processes for a job on a GPU that has `cores` cores, one of which feeds the GPU."""
    return max(1, min(MOST_LOADERS, cores - 1))


def computing_threads(cores: int, environment: Mapping[str, str] = os.environ) -> int:
    """Threads of PyTorch, OpenCV and their like in a job of `cores` cores: not more than
    OMP_NUM_THREADS, by which whoever starts several programs on one machine divides it.
    """
    asked = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    most = int(asked) if asked.isdecimal() else 0
    return min(cores, most) if most else cores


def _own_groups(groups: Path, mine: Path) -> Iterator[Path]:
    """The folders of this process's groups and of all groups around them.

    A container may show its own group as the root, under whatever name the process has outside.
    """
    try:
        lines = mine.read_text().splitlines()
    except OSError:
        lines = []
    yield from (groups, groups / "cpu")
    for line in lines:
        _, controllers, name = line.split(":", 2)
        root = groups if not controllers else groups / "cpu"
        if not controllers or "cpu" in controllers.split(","):
            inside = PurePosixPath(name.lstrip("/"))
            yield from (root / each for each in (inside, *inside.parents))


def _quotas(folder: Path) -> Iterator[tuple[int, int]]:
    """Microseconds of CPU time in each period of so many: version 2, version 1 of the groups."""
    two = _numbers(folder / "cpu.max")
    one = [*_numbers(folder / "cpu.cfs_quota_us"), *_numbers(folder / "cpu.cfs_period_us")]
    for found in (two, one):
        if len(found) == 2 and found[0] > 0 and found[1] > 0:
            yield found[0], found[1]


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of the kernel; "max" and −1, which are no limit, are not positive."""
    try:
        words = path.read_text().split()
    except OSError:
        return []
    return [int(word) if word.isdigit() else 0 for word in words]
