"""The memory that a process may still take, checked before large images are decoded."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

_GROUPS = (  # limit and use of the control group that a container runs in: version 2, version 1
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def available_bytes(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that can be taken now: the least of machine, container and `ulimit -v`."""
    free = [psutil.virtual_memory().available]
    for limit, used in _GROUPS:
        most, taken = _number(groups / limit), _number(groups / used)
        if most is not None and taken is not None:
            free.append(most - taken)
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        free.append(most - psutil.Process().memory_info().vms)
    return max(0, int(min(free)))


def _number(path: Path) -> int | None:
    """The number in a file of the kernel; None where there is none, or no limit ("max")."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
