"""Measures how long a training waits for its batches."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from pipeline.training.dataset import Batch
from pipeline.training.resume_state import Progress


def timed(batches: Iterator[Batch], progress: Progress, device: torch.device) -> Iterator[Batch]:
    """`batches`; adds the seconds of the whole, and those of waiting, to `progress`.

    A GPU that is still busy with earlier steps when a batch comes has not waited for it. One that
    is not has waited for at most as long as the batch was asked for, which is what is added.
    """
    while True:
        asked_at = time.monotonic()
        busy_until = _end_of_work(device)
        batch = next(batches, None)
        came_at = time.monotonic()
        if busy_until is None or busy_until.query():  # type: ignore[no-untyped-call]
            progress.waiting_s += came_at - asked_at
        if batch is None:
            progress.training_s += came_at - asked_at
            return
        yield batch
        progress.training_s += time.monotonic() - asked_at


def _end_of_work(device: torch.device) -> torch.cuda.Event | None:
    """What happens on the device when all that was asked of it is done; None of a CPU."""
    return torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None
