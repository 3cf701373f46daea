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
    given = None if isinstance(thresholds, str) else sorted(set(thresholds))
    if not metric.from_counts:
        return whole_images.whole_images(keep_truths(source, folder), metric, given).sampled()
    if source.multiclass:
        grid = given or disputed_classes.RATIO_GRID
        return disputed_classes.find_disputed_classes(source, folder, grid).sampled(folder)
    bounds = (given[0], given[-1]) if given else disputed_pixels.BOUNDS
    return disputed_pixels.find_disputed(source, folder, bounds).sampled(folder)
