"""Selects the form of OOF maps for a search: pruned pixels where counts suffice, else images."""

from __future__ import annotations

from pathlib import Path

from pipeline.ensemble.search import disputed_classes, disputed_pixels, whole_images
from pipeline.ensemble.search.ground_truth_cache import keep_truths
from pipeline.ensemble.search.oof import Oof, OofSource
from pipeline.ensemble.search.weights import Thresholds
from pipeline.metrics import Metric


def gather(
    source: OofSource, metric: Metric, folder: Path, thresholds: Thresholds = "search"
) -> Oof:
    """Read the OOF maps for a search; `folder` holds its nameless temporary files.

    Only pixels that thresholds in question could change are kept: given ones are one choice.
    """
    given = _given(thresholds)
    if not metric.from_counts:
        return whole_images.whole_images(keep_truths(source, folder), metric, given).sampled()
    if source.multiclass:
        grid = given or disputed_classes.RATIO_GRID
        return disputed_classes.find_disputed_classes(source, folder, grid).sampled(folder)
    return disputed_pixels.find_disputed(source, folder, _bounds(given)).sampled(folder)


def disputed_bytes(source: OofSource, thresholds: Thresholds) -> int:
    """The bytes of the pixels that `gather` would keep for a metric of counts."""
    given, itemsize = _given(thresholds), source.scale_type().itemsize
    if source.multiclass:
        grid = given or disputed_classes.RATIO_GRID
        return itemsize * disputed_classes.count_disputed_classes(source, grid)
    return itemsize * disputed_pixels.count_disputed(source, _bounds(given))


def _given(thresholds: Thresholds) -> list[float] | None:
    return None if isinstance(thresholds, str) else sorted(set(thresholds))


def _bounds(given: list[float] | None) -> tuple[float, float]:
    return (given[0], given[-1]) if given else disputed_pixels.BOUNDS
