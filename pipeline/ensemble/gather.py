"""Which form of the OOF maps a search works on: pruned pixels where counts suffice, else images."""

from __future__ import annotations

from pathlib import Path

from pipeline.competition.metrics import Metric
from pipeline.ensemble import disputed, exclusive, whole
from pipeline.ensemble.oof import Oof, OofSource
from pipeline.ensemble.search import Thresholds
from pipeline.ensemble.truths import keep_truths


def gather(
    source: OofSource, metric: Metric, folder: Path, thresholds: Thresholds = "search"
) -> Oof:
    """Read the OOF maps for a search; `folder` holds its nameless temporary files.

    Only pixels that thresholds in question could change are kept: given ones are one choice.
    """
    given = None if isinstance(thresholds, str) else sorted(set(thresholds))
    if not metric.from_counts:
        return whole.whole_images(keep_truths(source, folder), metric, given)
    if source.exclusive:
        return exclusive.find_disputed_classes(source, folder, given or exclusive.GRID)
    return disputed.find_disputed(
        source, folder, (given[0], given[-1]) if given else disputed.BOUNDS
    )
