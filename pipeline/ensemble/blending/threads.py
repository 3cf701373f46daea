"""The threads that the compiled loops of blending and search run in; they hold no GIL."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.cores import computing_threads, usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_PER_TASK = 4
"""Items that a thread takes at a time, of many: to wake it costs as much as a small image does."""


@cache
def thread_count() -> int:
    """The cores that this process may use, at most OMP_NUM_THREADS."""
    return computing_threads(usable_cores())


def thread_pool() -> ThreadPoolExecutor:
    """The pool of this process, one thread a core; threads do not survive a fork, hence the pid."""
    return _pool(os.getpid())


@cache
def _pool(_pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="ensemble")


def spans(length: int, block: int, threads: int | None) -> list[range]:
    """Cut 0..length into one range a thread, each stepping by `block`; no empty ones."""
    blocks = -(-length // block)
    count = max(1, min(threads or thread_count(), blocks))
    edges = [number * blocks // count * block for number in range(count)] + [length]
    return [range(edges[i], edges[i + 1], block) for i in range(count)]


def in_parts(work: Callable[[slice], object], sizes: NDArray[np.int64]) -> None:
    """work(slice) in one thread a part, the items 0..len(sizes) cut into parts of like size."""
    total = np.cumsum(sizes)
    count = thread_count()
    if not len(sizes) or total[-1] < 1 << 16:
        work(slice(0, len(sizes)))
        return
    inner = np.searchsorted(total, total[-1] * np.arange(1, count) / count)
    edges = [0, *inner.tolist(), len(sizes)]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    list(thread_pool().map(work, parts))


def ordered(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """The results in the items' order, a few of them made ahead, so that memory stays bounded."""

    def work(some: Sequence[Item]) -> list[Result]:
        return [function(item) for item in some]

    together = min(ITEMS_PER_TASK, max(1, len(items) // (8 * thread_count())))
    ahead: deque[Future[list[Result]]] = deque()
    for start in range(0, len(items), together):
        ahead.append(thread_pool().submit(work, items[start : start + together]))
        if len(ahead) > thread_count() + 1:
            yield from ahead.popleft().result()
    while ahead:
        yield from ahead.popleft().result()
