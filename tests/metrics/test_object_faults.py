"""Which objects are found, missed and merged, on pictures that can be counted by eye."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.ground_truth import Truth
from pipeline.metrics.object_faults import FAULTS, object_faults


def faults(true: list[str], decided: list[str], valid: list[str] | None = None) -> dict[str, int]:
    """Digits are the numbers of true objects, # is decided; `.` in valid is void."""
    labels = np.array([[0 if c == "." else int(c) for c in row] for row in true], np.int32)
    decision = np.array([[c == "#" for c in row] for row in decided])
    counts = None if valid is None else np.array([[c != "." for c in row] for row in valid])
    truth = Truth((labels > 0).astype(np.uint8)[None], counts, labels[None])
    return dict(zip(FAULTS, object_faults(decision[None], truth)[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("true", "decided", "expected"),
    [
        (["11.22", "11.22"], ["##.##", "##.##"], (2, 2, 2, 0, 0)),
        (["11.22", "11.22"], ["#####", "#####"], (2, 1, 0, 0, 2)),  # one component holds both
        (["11.22", "11.22"], ["##...", "##..#"], (2, 2, 1, 1, 0)),  # a quarter is not enough
        (["11111", "....."], ["##.##", "....."], (1, 2, 0, 0, 0)),  # cut in two, none above 0.5
        (["....."], ["#.#.#"], (0, 3, 0, 0, 0)),
        (["11122"], ["....."], (2, 0, 0, 2, 0)),
        (["....."], ["....."], (0, 0, 0, 0, 0)),
        # a large object that takes a small one in is itself still found
        (["1111112"], ["#######"], (2, 1, 1, 0, 2)),
    ],
)
def test_objects_by_fault(true: list[str], decided: list[str], expected: tuple[int, ...]) -> None:
    assert tuple(faults(true, decided).values()) == expected


def test_void_belongs_to_no_object() -> None:
    found = faults(["11.22"], ["##.##"], valid=["xxx.."])
    assert found == dict(zip(FAULTS, (1, 1, 1, 0, 0), strict=True))
