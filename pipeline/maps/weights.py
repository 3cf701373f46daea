"""Blending weights as whole numbers, so that weighted sums of stored levels are exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from pipeline.maps.quantise import LEVELS

SourceDtype = Literal["uint8", "uint16"]


def whole_weights(weights: Mapping[str, float], dtype: SourceDtype) -> dict[str, int]:
    """Weights as whole numbers that fill uint32 with maps of that dtype, by largest remainder.

    They sum to 2**24 (uint8) or 2**16 (uint16), so each is off by less than one part in that.
    In order of the names, so that the order in which an experiment lists its members is free.
    """
    assert min(weights.values()) >= 0 < sum(weights.values()), f"weights {dict(weights)}"
    total = 2**32 // (LEVELS[dtype] + 1)
    names = sorted(weights)
    values = np.array([weights[name] for name in names])
    exact = values / values.sum() * total
    whole = np.floor(exact).astype(np.int64)
    most_lost = np.argsort(whole - exact, kind="stable")
    whole[most_lost[: total - int(whole.sum())]] += 1
    return dict(zip(names, whole.tolist(), strict=True))
