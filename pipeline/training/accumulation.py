"""Several batches a step (`train.accumulate`), for one that does not fit into memory at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline.training.dataset import Batch


def grouped(batches: Iterator[Batch], count: int) -> Iterator[list[Batch]]:
    """The batches of one step after the other."""
    while step := list(islice(batches, count)):
        yield step


def valid_shares(batches: Sequence[Batch]) -> list[float]:
    """The share of a step's valid pixels that each of its batches has.

    Weighted by it, means over valid pixels add up to that of one large batch. Where no pixel is
    valid, all losses are 0.
    """
    if len(batches) == 1:
        return [1.0]
    counts = [float(batch.valid.sum()) for batch in batches]
    return [count / max(1.0, sum(counts)) for count in counts]
