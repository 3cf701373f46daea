"""Keeps the last array that could only be decoded whole, because its planes are asked for in turn.

One array a process, and no large one: a compressed volume would else be decoded once a plane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.decoding_memory import memory_for_bytes

MOST_KEPT = 2**29  # bytes
_Key = tuple[Path, str, int, int]
_lock = threading.RLock()
_last: list[tuple[_Key, NDArray[Any]]] = []


def whole_array(
    path: Path, part: str, needed: int, make: Callable[[], NDArray[Any]]
) -> NDArray[Any]:
    """The array `part` of a file, read-only: what `make` gives, or gave last.

    needed: its bytes; RefusedError where they do not fit into the memory that is free.
    """
    found = path.stat()
    key = (path, part, found.st_mtime_ns, found.st_size)
    with _lock:
        if _last and _last[0][0] == key:
            return _last[0][1]
        _last.clear()
        with memory_for_bytes(needed):
            array = np.asarray(make()).view()
        array.flags.writeable = False
        if array.nbytes <= MOST_KEPT:
            _last.append((key, array))
        return array
