"""Keeps the last arrays that could only be decoded whole, because their planes are asked for in
turn: a compressed volume, and that of its masks, would else be decoded once a plane.

Of a process, up to `MOST_KEPT` bytes in all.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.decoding_memory import memory_for_bytes

MOST_KEPT = 2**30  # bytes
_Key = tuple[Path, str, int, int]
_lock = threading.RLock()
_kept: OrderedDict[_Key, NDArray[Any]] = OrderedDict()
"""The one asked for last at the end."""


def whole_array(
    path: Path, part: str, needed: int, make: Callable[[], NDArray[Any]]
) -> NDArray[Any]:
    """The array `part` of a file, read-only: what `make` gives, or gave not long ago.

    needed: its bytes; RefusedError where they do not fit into the memory that is free.
    """
    found = path.stat()
    key = (path, part, found.st_mtime_ns, found.st_size)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        _make_room(needed)
        with memory_for_bytes(needed):
            array = np.asarray(make()).view()
        array.flags.writeable = False
        _make_room(array.nbytes)
        if array.nbytes <= MOST_KEPT:
            _kept[key] = array
        return array


def _make_room(needed: int) -> None:
    while _kept and needed + sum(each.nbytes for each in _kept.values()) > MOST_KEPT:
        _kept.popitem(last=False)
