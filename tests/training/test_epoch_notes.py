"""What a training says of itself, an epoch a line."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from pipeline.stages.parts.member_scores import longer
from pipeline.training.epoch_notes import EpochNotes

ROW = {"epoch": 3, "loss": 0.25, "score": 0.875, "lr": 1e-4, "waiting": 0.02}


def test_a_line_names_loss_metric_rate_and_time_left() -> None:
    line = EpochNotes("dice", epochs=5, total=50, step=20).over(ROW, step=30)
    assert line.startswith("epoch 3/5, loss 0.2500, dice 0.8750, lr 0.0001, ")
    assert re.search(r"[\d.e+]+ steps/s, [\d.]+ (s|min|h) left$", line)


def test_the_last_epoch_has_no_time_left() -> None:
    line = EpochNotes("dice", epochs=3, total=30, step=20).over(ROW, step=30)
    assert line.endswith("steps/s")


def test_much_waiting_for_data_is_said() -> None:
    line = EpochNotes("dice", epochs=5, total=50, step=20).over({**ROW, "waiting": 0.64}, step=30)
    assert re.search(r"steps/s \(64% of the time waiting for data\), [\d.]+ s left$", line)


def test_an_epoch_without_a_score_names_none() -> None:
    notes, unscored = EpochNotes("dice", epochs=5, total=50, step=20), {**ROW, "score": math.nan}
    for line in (notes.over(unscored, step=30), notes.running(4, unscored)):
        assert "loss 0.2500" in line and "dice" not in line and "nan" not in line


def test_a_run_that_only_validates_has_no_rate() -> None:
    line = EpochNotes("dice", epochs=3, total=30, step=30).over(ROW, step=30)
    assert line.endswith("lr 0.0001")


@pytest.mark.parametrize(
    ("scores", "advice"),
    [
        ([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2]], "1 of 2 members"),
        ([[0.1, 0.2], [0.1, 0.2]], "2 of 2 members"),
        ([[0.1, 0.2], [0.3, 0.2], [0.3, 0.2]], None),
        ([[0.2, 0.2]], None),  # as good as before is no reason
        ([[math.nan, 0.1, math.nan, 0.2]], "1 of 1 members"),  # not every epoch is scored
        ([[math.nan, 0.9], [0.9]], None),  # one epoch is always the best
        ([], None),
    ],
)
def test_training_longer_is_advised_where_most_members_were_best_last(
    scores: list[list[float]], advice: str | None
) -> None:
    found = longer(pd.DataFrame({"score": each}) for each in scores)
    assert found is None if advice is None else advice in str(found)
