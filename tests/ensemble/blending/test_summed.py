"""Sums that were taken before decide as the members' maps do, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.ensemble.blending.fixed_point import integer_weights
from pipeline.ensemble.blending.kernel import blend, decide, decide_runs
from pipeline.ensemble.blending.means import ARITHMETIC, Mean, make_mean
from pipeline.ensemble.blending.stream import SummedMaps


def _summed(maps: list[np.ndarray], weights: list[float], mean: Mean) -> SummedMaps:
    """The definition: whole numbers times whole weights, one member after another."""
    total = np.zeros(maps[0].shape, object)
    for member, (values, share) in enumerate(zip(maps, integer_weights(weights), strict=True)):
        table = mean.table(member)
        codes = values.view(np.uint16) if values.dtype == np.float16 else values
        total += (codes if table is None else table[codes]).astype(object) * int(share)
    assert total.max() < 2**32
    return SummedMaps(total.astype(np.uint32), mean.scale_type(maps[0].dtype))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("uint8", "arithmetic"), ("uint8", "geometric"), ("uint16", "arithmetic"),
     ("float16", "arithmetic")],
)  # fmt: skip
def test_sums_decide_as_their_members(seed: int, dtype: Any, kind: Any) -> None:
    random = np.random.default_rng(seed)
    members, classes = int(random.integers(1, 8)), int(random.integers(1, 4))
    shape = (classes, *random.integers(1, 90, 2))
    maps = [random.random(shape) for _ in range(members)]
    thresholds = random.uniform(0.1, 0.9, classes).tolist()
    if seed % 2:  # members that agree, on values that are thresholds
        maps = [np.round(maps[0] * 5) / 5] * members
        thresholds = (random.integers(1, 6, classes) / 5).tolist()
    top = {"uint8": 255, "uint16": 65535, "float16": 1}[dtype]
    stored = [np.asarray(np.round(each * top) if top > 1 else each, dtype) for each in maps]
    weights = (random.random(members) * (random.random(members) < 0.8) + 1e-3).tolist()
    mean = make_mean(kind, dtype) if kind != "arithmetic" or dtype == "float16" else ARITHMETIC
    sums = _summed(stored, weights, mean)
    for multiclass in [False, True][:classes]:
        settings: dict[str, Any] = {"multiclass": multiclass, "mean": mean, "threads": 1}
        assert np.array_equal(
            decide(sums, weights, thresholds, **settings),
            decide(stored, weights, thresholds, **settings),
        )
        for order in ("row", "column"):
            for ours, theirs in zip(
                decide_runs(sums, weights, thresholds, order, **settings),
                decide_runs(stored, weights, thresholds, order, **settings),
                strict=True,
            ):
                assert np.array_equal(ours, theirs)
    assert np.array_equal(blend(sums, weights, mean), blend(stored, weights, mean))
