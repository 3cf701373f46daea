"""Progress texts of a training: a short note at any time, and one line for each epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pipeline.reporting import duration


class EpochNotes:
    """Words about a training of `epochs` epochs and `total` steps that begins now at `step`.

    The rate is that of this process alone, validation and saving included, so that the time left
    is what a watch will show. A row is one of `history.csv`: epoch, loss, score, lr.
    """

    def __init__(self, metric: str, epochs: int, total: int, step: int) -> None:
        self._metric, self._epochs, self._total, self._first = metric, epochs, total, step
        self._began_at = time.monotonic()

    def running(self, epoch: int, last: Mapping[str, float] | None) -> str:
        """During the epoch of that number (from 1), with the scores of the last one."""
        note = f"epoch {epoch}/{self._epochs}"
        return note if last is None else f"{note}, {self._scores(last)}"

    def over(self, row: Mapping[str, float], step: int) -> str:
        """After an epoch, when `step` steps are made."""
        rate = (step - self._first) / max(time.monotonic() - self._began_at, 1e-9)
        text = f"epoch {int(row['epoch'])}/{self._epochs}, {self._scores(row)}, lr {row['lr']:.2g}"
        if not rate:  # the steps were made before a stop, only the validation now
            return text
        left = f", {duration((self._total - step) / rate)} left" if step < self._total else ""
        return f"{text}, {rate:.3g} steps/s{left}"

    def _scores(self, row: Mapping[str, float]) -> str:
        return f"loss {row['loss']:.4f}, {self._metric} {row['score']:.4f}"
