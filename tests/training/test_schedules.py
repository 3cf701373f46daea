from __future__ import annotations

import itertools

import pytest
import torch

from pipeline.config import TrainConfig
from pipeline.training.ema import MovingAverage
from pipeline.training.optimizers import OPTIMIZERS, make_optimizer, peak_rate
from pipeline.training.schedules import FLOOR, SCHEDULES, learning_rate


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
    for name, kind in OPTIMIZERS.items():
        settings = TrainConfig(optimizer=name, warmup=0)
        assert learning_rate(0, 10, settings) == pytest.approx(kind.rate)
        assert make_optimizer(network, settings).param_groups[0]["lr"] == kind.rate
    assert OPTIMIZERS["sgd"].rate >= 10 * OPTIMIZERS["adamw"].rate
    assert peak_rate(TrainConfig(optimizer="sgd", lr=0.5)) == 0.5


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_keeps_as_many_tensors_as_the_plan_counts(name: str) -> None:
    network = torch.nn.Linear(3, 2)
    optimizer = make_optimizer(network, TrainConfig(optimizer=name))
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    for parameter in network.parameters():
        kept = [each for each in optimizer.state[parameter].values() if torch.is_tensor(each)]
        assert sum(each.shape == parameter.shape for each in kept) == OPTIMIZERS[name].state


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_every_schedule_reaches_the_peak_and_never_rises_above_it(name: str) -> None:
    settings = TrainConfig(schedule=name)
    factors = [SCHEDULES[name].factor(share / 1000, settings) for share in range(1001)]
    assert max(factors) == pytest.approx(1) and min(factors) > 0 and max(factors) <= 1
    if SCHEDULES[name].warms_up:
        assert factors[0] == pytest.approx(1)
    if name != "constant":
        assert factors[-1] <= FLOOR + 1e-9


def _rates(schedule: str, **settings: object) -> list[float]:
    chosen = TrainConfig.model_validate({"lr": 1.0, "warmup": 0, "schedule": schedule, **settings})
    return [learning_rate(step, 1200, chosen) for step in range(1200)]


def test_warm_restarts_are_equal_cosines() -> None:
    rates = _rates("restarts", cycles=3)
    assert rates[400:800] == pytest.approx(rates[:400])
    assert rates[800:] == pytest.approx(rates[:400])
    jumps = [step for step in range(1, 1200) if rates[step] > rates[step - 1]]
    assert jumps == [400, 800]


def test_one_cycle_rises_and_falls_once_and_knows_no_warm_up() -> None:
    rates = _rates("onecycle")
    assert rates == _rates("onecycle", warmup=0.5)
    top = rates.index(max(rates))
    assert top == 360 and rates[0] == pytest.approx(1 / 25)
    assert all(a < b for a, b in itertools.pairwise(rates[:top]))
    assert all(a > b for a, b in itertools.pairwise(rates[top:]))


def test_poly_is_the_power_of_deeplab() -> None:
    rates = _rates("poly")
    assert rates[600] == pytest.approx(FLOOR + (1 - FLOOR) * 0.5**0.9)


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
