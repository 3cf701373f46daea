"""Blends maps of one image by several models in memory, exactly as from stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.blending.fixed_point import integer_weights
from pipeline.ensemble.blending.stream import SummedMaps
from pipeline.ensemble.recipe import Recipe
from pipeline.inference.sinks import ModelBands, summand
from pipeline.prediction.finished_run import FinishedRun, stored_type
from pipeline.scratch_array import scratch_array


@dataclass(frozen=True)
class MemoryBlend:
    """A recipe, and the models that count in it, in its order. Picklable.

    Sums are those of `ensemble.accumulate`, so that what is decided is, pixel by pixel, what
    `submit` decides from stores.
    """

    recipe: Recipe
    stored: np.dtype[Any]
    models: tuple[str, ...]
    """Those with a weight; the others need not be loaded."""

    @classmethod
    def of(cls, run: FinishedRun) -> MemoryBlend:
        shares = integer_weights(list(run.recipe.weights.values()))
        models = [name for name, share in zip(run.recipe.names, shares, strict=True) if share]
        return cls(run.recipe, stored_type(run.experiment), tuple(models))

    def sums(self, maps: Sequence[NDArray[Any]]) -> SummedMaps:
        """The weighted sum of a map (CHW, 0..1) by each of `models`, for `recipe` to decide from.

        Raises TrainingError for NaN.
        """
        total = np.zeros(maps[0].shape, np.uint32)
        for model, values in zip(self.models, maps, strict=True):
            self._add(total, model, values)
        return self._summed(total)

    def sums_of_bands(
        self, folder: Path, shape: tuple[int, int, int], bands: ModelBands
    ) -> SummedMaps:
        """The same for maps CHW of that shape that come in bands; kept in a file of `folder`."""
        total = scratch_array(folder, shape, np.uint32)
        for number, model in enumerate(self.models):
            top = 0
            for band in bands(number):
                self._add(total[:, top : top + band.shape[1]], model, band)
                top += band.shape[1]
        return self._summed(total)

    def _add(self, total: NDArray[np.uint32], model: str, values: NDArray[Any]) -> None:
        """Add the weighted map of one model, or rows of it."""
        mean, place = self.recipe.mean, self.recipe.names.index(model)
        stored = summand(values, self.stored.name, mean.table(place))  # type: ignore[arg-type]
        shares = integer_weights(list(self.recipe.weights.values()))
        total += stored.astype(np.uint32) * shares[place]

    def _summed(self, total: NDArray[np.uint32]) -> SummedMaps:
        return SummedMaps(total, self.recipe.mean.scale_type(self.stored))
