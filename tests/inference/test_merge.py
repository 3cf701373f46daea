from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, logit, softmax
from torch import Tensor

from pipeline.config.choices import Mean
from pipeline.inference.merge import EPSILON, RunningMerge

KINDS: list[Mean] = ["arithmetic", "geometric", "logit"]


def members(multiclass: bool, count: int = 7, seed: int = 0) -> list[Tensor]:
    """Maps of 2x3x5x4, some of their values saturated."""
    noise = torch.randn(count, 2, 3, 5, 4, generator=torch.Generator().manual_seed(seed)) * 8
    return list(noise.softmax(2) if multiclass else noise.sigmoid())


def merge(kind: Mean, maps: list[Tensor], multiclass: bool = False) -> Tensor:
    total = RunningMerge(kind, multiclass=multiclass)
    for probabilities in maps:
        total.add(probabilities)
    return total.result()


def slow(kind: Mean, maps: list[Tensor], multiclass: bool) -> np.ndarray:
    """From the definitions, in float64."""
    p = np.stack([m.float().double().numpy() for m in maps])
    if kind == "arithmetic":
        return p.mean(0)
    if multiclass:
        product = np.prod(np.clip(p, EPSILON, 1) ** (1 / len(p)), 0)
        return product / product.sum(1, keepdims=True)
    if kind == "geometric":
        return np.prod(np.clip(p, EPSILON, 1) ** (1 / len(p)), 0)
    return expit(logit(np.clip(p, EPSILON, 1 - EPSILON)).mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_definition_in_float64(kind: Mean, multiclass: bool, dtype: torch.dtype) -> None:
    maps = [m.to(dtype) for m in members(multiclass)]
    result = merge(kind, maps, multiclass)
    assert result.dtype == torch.float32
    # A logit of 1 - 1e-6 is itself only known to 6 % in float32, which a mean of 7 dilutes.
    assert np.allclose(
        result, slow(kind, maps, multiclass), atol=2e-6, rtol=1e-2 * (kind != "arithmetic")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_multiclass_maps_stay_a_distribution(kind: Mean) -> None:
    total = merge(kind, members(multiclass=True), multiclass=True).sum(1)
    assert torch.allclose(total, torch.ones(()), atol=1e-5)


def test_multiclass_mean_of_logits_is_the_softmax_of_mean_logits() -> None:
    logits = torch.randn(5, 1, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    expected = softmax(logits.double().mean(0).numpy(), axis=1)
    result = merge("logit", list(logits.softmax(2)), multiclass=True)
    assert np.allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_one_map_alone_and_equal_maps_come_back(kind: Mean, multiclass: bool) -> None:
    first = members(multiclass)[0]
    for count in (1, 9):
        assert torch.allclose(merge(kind, [first] * count, multiclass), first, atol=5e-6)


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_order_does_not_matter_beyond_rounding(kind: Mean, multiclass: bool) -> None:
    maps = members(multiclass, count=40)
    forwards, backwards = merge(kind, maps, multiclass), merge(kind, maps[::-1], multiclass)
    assert torch.allclose(forwards, backwards, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_saturated_maps_stay_finite_and_in_range(kind: Mean, value: float) -> None:
    result = merge(kind, [torch.full((1, 2, 2), value), torch.full((1, 2, 2), 0.5)])
    assert torch.isfinite(result).all() and result.min() > 0 and result.max() < 1
    assert abs(float(merge(kind, [torch.full((1, 1, 1), value)]) - value)) <= 2 * EPSILON


@pytest.mark.parametrize("kind", KINDS)
def test_added_maps_are_left_alone_and_results_can_be_asked_for_twice(kind: Mean) -> None:
    first, second = members(multiclass=False, count=2)
    kept = first.clone(), second.clone()
    total = RunningMerge(kind, multiclass=False)
    total.add(first)
    early = total.result()
    early_kept = early.clone()
    total.add(second)
    assert torch.equal(total.result(), total.result())
    assert torch.equal(early, early_kept)
    assert torch.equal(first, kept[0]) and torch.equal(second, kept[1])


def test_maps_of_other_shapes_are_no_merge() -> None:
    total = RunningMerge("arithmetic", multiclass=False)
    total.add(torch.zeros(2, 4, 4))
    with pytest.raises(AssertionError, match="2, 4, 4"):
        total.add(torch.zeros(1, 4, 4))
