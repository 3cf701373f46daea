"""The means of a blend: of probabilities, of their logarithms, logits, or ranks.

A mean other than the arithmetic one is a table that turns a stored number into another before the
weighted sum, so that the kernel, the search and their integer arithmetic stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.config import choices
from pipeline.ensemble.blending.fixed_point import top

UINT16_TOP = 65535
# What a zero counts as where its logarithm is needed: half of what uint8 can tell from zero.
LEAST = 1 / 510


@dataclass(frozen=True)
class Mean:
    """name; tables: (M or 1, codes) uint16, what each member's stored numbers become, or None."""

    name: choices.Mean
    tables: NDArray[np.uint16] | None = None

    def table(self, member: int) -> NDArray[np.uint16] | None:
        """The table of one member; None when its stored numbers are summed as they are."""
        if self.tables is None:
            return None
        table: NDArray[np.uint16] = self.tables[member % len(self.tables)]
        return table

    def scale_type(self, dtype: DTypeLike) -> np.dtype[Any]:
        """The integer type on whose scale the sums are."""
        return np.dtype(dtype) if self.tables is None else np.dtype(np.uint16)

    def to_scale(self, probability: float) -> float:
        """Where a probability lies on the blend's scale of 0..1."""
        if self.name == "geometric":
            return float(_logarithmic(np.float64(probability)))
        return float(_logit(np.float64(probability))) if self.name == "logit" else probability

    def from_scale(self, value: Any) -> Any:
        """The probability (scalar or array) that lies at `value` of the blend's scale."""
        if self.name == "geometric":
            return (np.exp((1 - value) * np.log(LEAST)) - LEAST) / (1 - LEAST)
        return _from_logit(value) if self.name == "logit" else value


ARITHMETIC = Mean("arithmetic")


def mean_kind(wish: choices.Mean, *, multiclass: bool) -> choices.Mean:
    """The mean that `ensemble.mean` stands for: a softmax has log p for logits."""
    return "geometric" if wish == "logit" and multiclass else wish


def make_mean(
    name: choices.Mean, dtype: DTypeLike, histograms: Sequence[NDArray[np.int64]] | None = None
) -> Mean:
    """The mean of this name for maps stored as `dtype` (uint8, uint16 or float16).

    In multiclass maps a logit is log p up to a constant: take the geometric mean there.
    histograms: (codes,) int64 a member, how often each stored number occurs in its OOF maps; the
    rank mean needs them.
    """
    if name == "rank":
        assert histograms is not None, "a rank mean needs the members' histograms"
        return Mean("rank", _rank_tables(probabilities(dtype), np.stack(histograms)))
    values = probabilities(dtype)
    if name == "geometric":
        return Mean("geometric", _quantised(_logarithmic(values))[None])
    if name == "logit":
        return Mean("logit", _quantised(_logit(values))[None])
    return ARITHMETIC if np.dtype(dtype).kind == "u" else Mean(name, _quantised(values)[None])


def probabilities(dtype: DTypeLike) -> NDArray[np.float64]:
    """The probability (codes,) that each stored number stands for; float16 by its bit pattern."""
    if np.dtype(dtype) != np.float16:
        return np.arange(top(dtype) + 1) / top(dtype)
    bits = np.arange(UINT16_TOP + 1, dtype=np.uint16).view(np.float16).astype(np.float64)
    return np.clip(np.nan_to_num(bits, nan=0.0), 0, 1)


def _quantised(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.rint(values * UINT16_TOP).astype(np.uint16)


def _logarithmic(probability: Any) -> Any:
    """0..1 to 0..1, linear in log(p) but for a shift that keeps log(0) finite."""
    return 1 - np.log(LEAST + probability * (1 - LEAST)) / np.log(LEAST)


def _logit(probability: Any) -> Any:
    """0..1 to 0..1, linear in log(p / (1 - p)) of a p that is kept within LEAST of 0 and 1."""
    inner = LEAST + probability * (1 - 2 * LEAST)
    return 0.5 + np.log(inner / (1 - inner)) / (2 * np.log((1 - LEAST) / LEAST))


def _from_logit(value: Any) -> Any:
    """The inverse of `_logit`."""
    odds = np.exp((value - 0.5) * 2 * np.log((1 - LEAST) / LEAST))
    return (odds / (1 + odds) - LEAST) / (1 - 2 * LEAST)


def _rank_tables(values: NDArray[np.float64], histograms: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Each member's number becomes the pooled probability of the same rank.

    A mean of bare ranks would have no scale on which a threshold means anything; expressed as
    quantiles of all members together, ranks keep one.
    """
    pooled = histograms.sum(axis=0)
    seen = pooled > 0
    order = np.argsort(values[seen], kind="stable")
    ranks, quantiles = _mid_ranks(pooled)[seen][order], values[seen][order]
    return np.stack(
        [_quantised(np.interp(_mid_ranks(own), ranks, quantiles)) for own in histograms]
    )


def _mid_ranks(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    return (np.cumsum(histogram) - histogram / 2) / max(1, int(histogram.sum()))
