"""The arithmetic between a measurement and a forecast."""

from __future__ import annotations

import pytest

from pipeline.planning.forecast import Line, Work, on_devices, predict_seconds, train_seconds
from pipeline.planning.measure import Measured
from pipeline.training.disk_bytes import Footprint

MEASURED = Measured(
    steps_s=(2.0, 8.0), plain_s=1e-3, predict_s=2e-3, decode_s=5e-4, write_s=1e-4, read_s=1e-4,
    stored=1.0, footprint=Footprint(10, 20, 6),
)  # fmt: skip


def test_training_is_steps_and_validations() -> None:
    seconds = train_seconds(MEASURED, steps=[30, 10], scores=2, held_out=Work(2, 1000))
    assert seconds == pytest.approx(30 * 2.0 + 10 * 8.0 + 2 * 1000 * 1e-3)


def test_the_slowest_of_what_overlaps_counts() -> None:
    work = Work(2, 1000)
    assert predict_seconds(MEASURED, work, members=5) == pytest.approx(10.0)
    slow_disk = Measured(**{**vars(MEASURED), "write_s": 0.5})
    assert predict_seconds(slow_disk, work, members=5) == pytest.approx(500.0)


def test_jobs_queue_for_devices() -> None:
    assert on_devices([], 4) == 0
    assert on_devices([3.0, 3.0, 3.0, 3.0], 2) == 6.0
    assert on_devices([10.0, 1.0], 8) == 10.0


def test_what_is_there_is_not_needed_again() -> None:
    assert Line("infer", "", 6, 100, 30, 0).needed == 70
    assert Line("infer", "", 6, 100, 130, 0).needed == 0
