"""Progress texts of a training: a short note at any time, and one line for each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from pipeline.reporting import duration
from pipeline.training.auxiliary import PREFIX

WORTH_A_WORD = 0.1  # the share of waiting from which more loader processes would help


class EpochNotes:
    """Words about a training of `epochs` epochs that begins now at `step` of `total` steps.

    The rate is that of this process alone, validation and saving included, so that the time left
    is what a watch will show; of a stage, which has a name, it is that of the stage alone. A row is
    one of `history.csv`: epoch, loss, score (NaN where the fold was not scored), lr, the share of
    the time that was spent waiting for batches, and the auxiliary losses.
    """

    def __init__(self, metric: str, epochs: int, total: int, step: int, stage: str = "") -> None:
        self._metric, self._epochs, self._total, self._first = metric, epochs, total, step
        self._stage = stage
        self._began_at = time.monotonic()

    def running(self, epoch: int, last: Mapping[str, float] | None) -> str:
        """During the epoch of that number (from 1), with the scores of the last one."""
        note = self._numbered(epoch)
        return note if last is None else f"{note}, {self._scores(last)}"

    def over(self, row: Mapping[str, float], step: int) -> str:
        """After an epoch, when `step` steps are made."""
        rate = (step - self._first) / max(time.monotonic() - self._began_at, 1e-9)
        text = f"{self._numbered(int(row['epoch']))}, {self._scores(row)}, lr {row['lr']:.2g}"
        if not rate:  # the steps were made before a stop, only the validation now
            return text
        left = f", {duration((self._total - step) / rate)} left" if step < self._total else ""
        left += f" in {self._stage}" if left and self._stage else ""
        waiting = row["waiting"]
        wait = f" ({waiting:.0%} of the time waiting for data)" if waiting >= WORTH_A_WORD else ""
        return f"{text}, {rate:.3g} steps/s{wait}{left}"

    def _numbered(self, epoch: int) -> str:
        stage = f"{self._stage}, " if self._stage else ""
        return f"{stage}epoch {epoch}/{self._epochs}"

    def _scores(self, row: Mapping[str, float]) -> str:
        loss, score = f"loss {row['loss']:.4f}{_auxiliary(row)}", row["score"]
        return loss if math.isnan(score) else f"{loss}, {self._metric} {score:.4f}"


def _auxiliary(row: Mapping[str, float]) -> str:
    """The auxiliary losses of a row, in brackets; "" where there are none."""
    found = [
        f"{name.removeprefix(PREFIX)} {value:.4f}"
        for name, value in row.items()
        if name.startswith(PREFIX)
    ]
    return f" ({', '.join(found)})" if found else ""
