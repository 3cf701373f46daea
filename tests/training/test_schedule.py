from __future__ import annotations

import itertools

import pytest
import torch

from pipeline.config import TrainConfig
from pipeline.config.training import PEAK_RATES
from pipeline.training.ema import MovingAverage
from pipeline.training.schedule import FLOOR, learning_rate, make_optimizer


def test_the_rate_warms_up_peaks_and_falls_to_its_floor() -> None:
    settings = TrainConfig(lr=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(rates) == pytest.approx(1.0)
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert FLOOR < rates[-1] < FLOOR + 0.01


def test_a_single_step_and_no_warmup_work() -> None:
    assert learning_rate(0, 1, TrainConfig(lr=1.0, warmup=0)) == pytest.approx(1.0)


def test_without_a_rate_each_optimizer_has_its_own() -> None:
    network = torch.nn.Linear(2, 2)
    for optimizer, rate in PEAK_RATES.items():
        settings = TrainConfig.model_validate({"optimizer": optimizer, "warmup": 0})
        assert learning_rate(0, 10, settings) == pytest.approx(rate)
        assert make_optimizer(network, settings).param_groups[0]["lr"] == rate
    assert PEAK_RATES["sgd"] > 10 * PEAK_RATES["adamw"]
    assert TrainConfig(optimizer="sgd", lr=0.5).peak_rate == 0.5


def test_biases_and_norms_are_not_decayed() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    groups = make_optimizer(network, TrainConfig(weight_decay=0.5)).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(network[0].weight)}


def test_the_average_follows_the_closed_form_and_copies_counters() -> None:
    network = torch.nn.BatchNorm1d(2)
    average = MovingAverage(network, decay=0.9)
    expected = average.network.weight.clone()
    for step in range(1, 40):
        with torch.no_grad():
            network.weight += 1.0
            network.num_batches_tracked += 1
        average.update(network, step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * network.weight
    torch.testing.assert_close(average.network.weight, expected)
    assert average.network.num_batches_tracked == network.num_batches_tracked
    assert not torch.equal(average.network.weight, network.weight)
