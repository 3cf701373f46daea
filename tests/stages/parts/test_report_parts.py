"""What the page is made of: cases without overlap, and durations that add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.stages.parts import timings
from pipeline.stages.parts.report_cases import CASES, worst_and_best


@pytest.mark.parametrize("images", range(30))
def test_no_image_is_both_among_the_worst_and_the_best(images: int) -> None:
    worst, best = (list(range(images))[each] for each in worst_and_best(images))
    assert not set(worst) & set(best)
    assert len(worst) <= CASES and len(best) <= CASES
    assert len(worst) + len(best) == min(images, 2 * CASES)
    assert worst == list(range(len(worst))) and best == list(range(images))[images - len(best) :]


def test_durations_add_up_by_stage(tmp_path: Path) -> None:
    path = tmp_path / "runs/x/timings.csv"
    timings.record(path, "train", 1.5, "2 members (a, b)")
    timings.record(path, "infer", 3, "maps")
    timings.record(path, "train", 2, "1, and a comma")
    train, infer = timings.spent(path)
    assert (train.stage, train.seconds, train.times, train.made) == (
        "train",
        3.5,
        2,
        "1, and a comma",
    )
    assert (infer.stage, infer.seconds) == ("infer", 3)


@pytest.mark.parametrize(
    "text", ["", "\0\0", "stage,seconds\ntrain,x\n", "a,b\n1,2,3,4\n", "stage"]
)
def test_damaged_durations_are_no_reason_to_fail(text: str, tmp_path: Path) -> None:
    path = tmp_path / "timings.csv"
    assert timings.spent(path) == []
    path.write_text(text)
    assert timings.spent(path) == []
    timings.record(tmp_path / "timings.csv" / "below", "train", 1, "a folder that cannot be")
