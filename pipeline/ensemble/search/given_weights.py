"""Weights that a search is given, and what it is asked for where it is given none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline.ensemble.blending.fixed_point import integer_weights
from pipeline.ensemble.search.oof import Shares
from pipeline.errors import ConfigError

BlendWeights = Literal["search", "equal"] | Mapping[str, float]


def given_shares(names: Sequence[str], weights: Literal["equal"] | Mapping[str, float]) -> Shares:
    """The integer weights of an equal or given blend; ConfigError if the members differ."""
    if isinstance(weights, str):
        return integer_weights(np.ones(len(names)))
    if set(weights) != set(names):
        raise ConfigError(
            f"ensemble.weights names {sorted(weights)}, and the members are {sorted(names)}"
        )
    return integer_weights([weights[name] for name in names])
