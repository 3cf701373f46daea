"""Reads what is needed next in threads, while the caller works on what came before."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")

AHEAD = 2  # batches that are read before they are needed


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Read], batch: int, cores: int
) -> Iterator[tuple[Sequence[Item], list[Read]]]:
    """Batches of items with what `read` gives for each, in order, `AHEAD` batches early.

    cores: of this job; as many threads read, as far as there is work for them. An error of `read`
    is raised where its batch is due.
    """
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    threads = min(AHEAD * batch, max(AHEAD, cores))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[list[Future[Read]]] = deque()
        for position in range(len(batches) + AHEAD):
            if position < len(batches):
                waiting.append([pool.submit(read, each) for each in batches[position]])
            if position >= AHEAD:
                yield batches[position - AHEAD], [each.result() for each in waiting.popleft()]


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each one yielded after the next one has begun: a device never idles."""
    for item, _ in itertools.pairwise(itertools.chain(items, [None])):
        assert item is not None
        yield item
