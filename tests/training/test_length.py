"""How many steps a training has, by which keys, and what is told of it before it is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import TrainConfig
from pipeline.config.training import DEFAULT_LENGTH
from pipeline.errors import ConfigError
from pipeline.manifests import fingerprint
from pipeline.reporting import Milestones
from pipeline.training.length import Length, training_length
from pipeline.training.projection import FIRST_STEPS, Projection, StepTimer
from pipeline.training.staged import train_member
from tests.helpers.competitions import draw_discs, experiment
from tests.helpers.training_jobs import job_context, train_job


@pytest.mark.parametrize(
    ("keys", "total", "epochs"),
    [
        ({}, DEFAULT_LENGTH, 20),
        ({"epochs": 6}, 6 * 12, 6),
        ({"epochs": 20}, 20 * 12, 20),
        ({"steps": 7}, 20 * 7, 20),
        ({"steps": None}, 20 * 12, 20),
        ({"epochs": 3, "steps": 5}, 15, 3),
        ({"length": 500}, 500, 20),
        ({"length": 500, "epochs": 8}, 500, 8),
        ({"length": 5, "epochs": 8}, 5, 5),
        ({"length": None, "epochs": 2}, 24, 2),
        ({"epochs": 2, "accumulate": 3}, 8, 2),
    ],
)
def test_each_way_to_say_how_long_it_is(keys: dict[str, Any], total: int, epochs: int) -> None:
    """Of 100 images in batches of 8."""
    assert training_length(100, TrainConfig.model_validate(keys)) == Length(total, epochs)


def test_what_says_epochs_is_the_same_member_as_before() -> None:
    """Fingerprints as they were when epochs: 20 was the default."""
    assert fingerprint(TrainConfig(epochs=20)) == fingerprint({})
    assert fingerprint(TrainConfig(epochs=8, lr=1e-3)) == fingerprint({"epochs": 8, "lr": 1e-3})
    assert fingerprint(TrainConfig()) == fingerprint({"length": DEFAULT_LENGTH})


def test_a_written_experiment_has_the_length_it_had(tmp_path: Path) -> None:
    for keys in ({}, {"epochs": 20}, {"length": 7}, {"steps": 3}):
        settings = TrainConfig.model_validate(keys)
        again = TrainConfig.model_validate(settings.model_dump(mode="json"))
        assert again == settings and training_length(50, again) == training_length(50, settings)


@pytest.mark.parametrize(("total", "epochs"), [(3000, 20), (997, 7), (5, 5), (1, 1)])
def test_epochs_split_the_steps_evenly(total: int, epochs: int) -> None:
    length = Length(total, epochs)
    parts = [length.steps_of(epoch) for epoch in range(epochs)]
    assert sum(parts) == total and max(parts) - min(parts) <= 1 and min(parts) > 0
    assert [length.first_step(epoch) for epoch in range(epochs)] == [
        sum(parts[:epoch]) for epoch in range(epochs)
    ]


def test_two_lengths_are_a_mistake(tmp_path: Path) -> None:
    draw_discs(tmp_path)
    with pytest.raises(ConfigError, match=r"train: length: 9 is the whole .* steps: 4 an epoch"):
        experiment(tmp_path, train={"length": 9, "steps": 4})
    with pytest.raises(ConfigError, match=r"train\.length: 0: should be greater"):
        experiment(tmp_path, train={"length": 0})


def test_a_training_has_just_as_many_steps_in_uneven_parts(tmp_path: Path) -> None:
    draw_discs(tmp_path / "discs")
    job = train_job(tmp_path / "discs", tmp_path, length=5, epochs=2)
    train_member(job, job_context(tmp_path))
    text = job.paths.history.read_text().splitlines()
    assert len(text) == 3 and '"step": 5' in _header(job.paths.weights("ema"))


def _header(path: Path) -> str:
    return path.read_bytes()[8:400].decode("utf-8", "replace").replace("\\", "")


@pytest.mark.slow
def test_the_hours_are_told_once_after_the_first_steps(tmp_path: Path) -> None:
    draw_discs(tmp_path / "discs")
    projection = Projection(members=12, steps=36_000, at_once=2)
    job = replace(
        train_job(tmp_path / "discs", tmp_path, length=130, epochs=1, batch=2),
        projection=projection,
    )
    told = Milestones(tmp_path / "progress")
    train_member(job, job_context(tmp_path))
    lines = [line for line in told.new() if "members" in line]
    assert len(lines) == 1
    assert lines[0].startswith("job: 12 members × 3,000 steps, about ")


def test_the_projection_counts_rounds_of_devices() -> None:
    assert "about 2.0 h" in Projection(12, 36_000, 2).text(0.4)
    assert "about 20.0 min" in Projection(5, 15_000, 5).text(0.4)
    assert "about 40.0 min" in Projection(6, 18_000, 5).text(0.4)


def test_a_short_training_tells_nothing() -> None:
    timer = StepTimer(Projection(1, 40, 1))
    assert not any(timer.step(40 - step) for step in range(1, 40))
    timer = StepTimer(Projection(1, 400, 1))
    assert [bool(timer.step(400 - n)) for n in range(1, 400)].index(True) == FIRST_STEPS - 1
    assert not StepTimer(None).step(10**6)
