"""Run lengths: every mask comes back, as pycocotools has it; every other text is a DataError."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from pycocotools import mask as coco

from pipeline.data import rle
from pipeline.errors import DataError
from tests.helpers.fuzz_rounds import Record, for_minutes, mutated, report, some

LETTERS = (
    list("0123456789") + list("  \t-+.eE,xnaif") + ["\0", "é", "٣", "\ud800", "999999999999999"]
)


def run_lengths(rounds: Iterator[np.random.Generator]) -> Counter[str]:
    ends: Counter[str] = Counter()
    for random in rounds:
        ends[_round_trip(random)] += 1
        ends[_any_text(random)] += 1
    return ends


def _round_trip(random: np.random.Generator) -> str:
    height, width = map(int, random.integers(1, 40, 2))
    mask = random.random((height, width)) < random.choice([0, 0.02, 0.5, 0.98, 1])
    for relative in (False, True):
        for order in ("row", "column"):
            text = rle.encode(mask, order, relative=relative)  # type: ignore[arg-type]
            again = rle.decode(text, mask.shape, order, relative=relative)  # type: ignore[arg-type]
            assert np.array_equal(again, mask)
    runs = rle.runs_of(mask, "column")
    ends = np.append(0, np.stack([runs[:, 0], runs.sum(axis=1)], axis=1).ravel())
    counts = np.diff(np.append(ends, mask.size)).tolist()
    packed = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    assert np.array_equal(coco.decode([packed])[..., 0].astype(bool), mask)
    assert coco.area(packed) == mask.sum()
    return "masks came back"


def _any_text(random: np.random.Generator) -> str:
    size = tuple(map(int, random.integers(1, 30, 2)))
    if random.random() < 0.5:
        text = "".join(random.choice(LETTERS, random.integers(0, 30)))
    else:
        mask = random.random(size) < 0.5
        text = mutated(rle.encode(mask, "row").encode(), random).decode(errors="replace")
    try:
        mask = rle.decode(text, size, "row", relative=bool(random.integers(2)))
    except DataError as error:
        assert str(error).startswith("run ") and len(str(error)) < 200
        return "texts refused"
    assert mask.shape == size and mask.dtype == bool
    return "texts decoded"


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own
def test_run_lengths(record_property: Record) -> None:
    ends = report(record_property, run_lengths, some(150))
    assert ends["texts refused"] > 20 and ends["texts decoded"] > 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_run_lengths_for_minutes(record_property: Record) -> None:
    report(record_property, run_lengths, for_minutes())
