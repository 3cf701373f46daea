"""The planes of a decision as runs, at the size that the competition counts in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.data.rle import Runs
from pipeline.ensemble.postprocessing.instances import connected_instances
from pipeline.size import Size
from pipeline.submission.format import SubmittedDecisions


def runs_of_image(
    decisions: SubmittedDecisions, id: str, settings: SubmissionConfig
) -> list[Sequence[Runs]]:
    """For each class, the runs of each of its rows (one, or one an instance)."""
    if settings.rows != "instance" and settings.size is None:
        runs = decisions.runs(id, settings.order)
        if runs is not None:
            return [[each] for each in runs]
    decision = decisions.decide(id)
    if settings.rows == "instance":
        planes = [list(_objects(labels, settings.size)) for labels in connected_instances(decision)]
    else:
        planes = [[_resized(plane, settings.size)] for plane in decision]
    return [[rle.runs_of(mask, settings.order) for mask in masks] for masks in planes]


def kind_of(runs: Sequence[Runs], size: Size) -> str:
    """Of the runs of one row or of several objects: "empty", "everywhere" or "mask"."""
    covered = sum(int(each[:, 1].sum()) for each in runs)
    return "empty" if not covered else "everywhere" if covered == size[0] * size[1] else "mask"


def _objects(labels: NDArray[np.int32], size: Size | None) -> Iterator[NDArray[np.bool_]]:
    """The objects at the submitted size: first separated, then resized, since the line
    between two that touch is thinner than a pixel of a smaller image. They stay disjoint, because
    a pixel goes to whom more than half of it belongs.
    """
    for number in range(1, int(labels.max(initial=0)) + 1):
        mask = _resized(np.asarray(labels == number), size)
        if mask.any():
            yield mask


def _resized(plane: NDArray[np.bool_], size: Size | None) -> NDArray[np.bool_]:
    if size is None:
        return plane
    full = plane.view(np.uint8) * np.uint8(255)
    shrunk = cv2.resize(full, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk >= 128)
