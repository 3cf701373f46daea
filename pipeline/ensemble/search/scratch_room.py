"""The disk space that a search takes while it runs: told before it begins, and in a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.data.ground_truth import Truth
from pipeline.disk_space import check_room
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.oof_pixels import disputed_bytes
from pipeline.ensemble.search.sampling import SAMPLED_VALUES, SEARCHED_VALUES
from pipeline.ensemble.search.weights import Thresholds
from pipeline.metrics import Metric

PROBED = 16  # images, and at most one of eight: their maps are read twice
# Of all pixels, where there is no map to tell: 50 members that differ much left 16.5 bytes a pixel.
ASSUMED_SHARE = 1 / 3
REMEDY = (
    ", or set ensemble.threshold to a number or blend fewer models: fewer pixels are disputed then"
)


def require_room(
    source: OofSource, metric: Metric, folder: Path, thresholds: Thresholds, *, truths: bool
) -> None:
    """ResourceError unless the temporary files of a search fit at `folder`.

    truths: whether they are kept there, for post-processing.
    """
    size = scratch_bytes(source, metric, thresholds, truths=truths)
    check_room("ensemble", size, (), folder, REMEDY)


def scratch_bytes(
    source: OofSource, metric: Metric, thresholds: Thresholds, *, truths: bool
) -> int:
    """About the bytes that `gather` and kept truths take, from those of a few of the images."""
    count = min(PROBED, max(1, len(source.ids) // 8))
    places = (np.arange(count) + 0.5) / count * len(source.ids)
    some = replace(source, ids=tuple(source.ids[place] for place in places.astype(int)))
    size = 0
    if truths or not metric.from_counts:
        size += sum(_truth_bytes(source.truth(each)) for each in some.ids)
    if metric.from_counts:
        size += disputed_bytes(some, thresholds)
    return with_sample(size * len(source.ids) // count)


def assumed_bytes(pixels: int, members: int, classes: int, itemsize: int, *, truths: bool) -> int:
    """The same before there are maps; pixels: of all images together."""
    disputed = round(pixels * classes * members * itemsize * ASSUMED_SHARE)
    return with_sample(disputed) + (pixels * classes if truths else 0)


def with_sample(size: int) -> int:
    """The bytes of disputed pixels, and of the sample where they have one."""
    return size + min(size, SAMPLED_VALUES) * (size > SEARCHED_VALUES)


def _truth_bytes(truth: Truth) -> int:
    valid = 0 if truth.valid is None else truth.valid.size
    instances = 0 if truth.instances is None else 4 * truth.instances.size
    return truth.planes.size + valid + instances
