"""The planes of a decision as shapes, at the size that the competition counts in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.data.rle import Runs
from pipeline.ensemble.postprocessing.instances import connected_instances
from pipeline.size import Size
from pipeline.submission.format import SubmittedDecisions


@dataclass(frozen=True)
class Shape:
    """A mask, or an object of one, of a class."""

    runs: Runs
    plane: int = 0
    """The place of its class."""
    score: float = 0.0
    """Mean probability of its pixels, before post-processing; 0 where it has none, or nobody asks
    for it."""


def shapes_of_image(
    decisions: SubmittedDecisions, id: str, settings: SubmissionConfig
) -> list[Sequence[Shape]]:
    """For each class, its shapes: one, or one an instance."""
    if settings.rows != "instance" and settings.size is None and not settings.is_scored:
        runs = decisions.runs(id, settings.order)
        if runs is not None:
            return [[Shape(each, plane)] for plane, each in enumerate(runs)]
    decision = decisions.decide(id)
    probabilities = decisions.probabilities(id) if settings.is_scored else [None] * len(decision)
    if settings.rows == "instance":
        return [
            list(_objects_of(plane, place, settings, likely))
            for place, (plane, likely) in enumerate(zip(decision, probabilities, strict=True))
        ]
    sent = planes_at_size(decision, settings.size, disjoint=decisions.recipe.multiclass)
    scores = [
        _means(plane.astype(np.int32), likely)[1]
        for plane, likely in zip(decision, probabilities, strict=True)
    ]
    return [
        [Shape(rle.runs_of(mask, settings.order), place, score)]
        for place, (mask, score) in enumerate(zip(sent, scores, strict=True))
    ]


def planes_at_size(
    decision: NDArray[np.bool_], size: Size | None, *, disjoint: bool = False
) -> NDArray[np.bool_]:
    """The decision CHW at the submitted size; None: its own. A pixel belongs to a class that has
    half of it or, if classes are disjoint, to the one (or none) that has most of it.
    """
    if size is None:
        return decision
    if not disjoint or len(decision) == 1:
        return np.stack([_resized(plane, size) for plane in decision])
    most, winner = np.zeros(size, np.uint8), np.full(size, -1)
    for place, plane in enumerate((*decision, ~decision.any(axis=0))):
        share = _share(plane, size)
        winner[share > most] = place
        np.maximum(most, share, out=most)
    return np.stack([np.asarray(winner == place) for place in range(len(decision))])


def kind_of(shapes: Sequence[Shape], size: Size) -> str:
    """Of the shapes of one row or of several objects: "empty", "everywhere" or "mask"."""
    covered = sum(int(each.runs[:, 1].sum()) for each in shapes)
    return "empty" if not covered else "everywhere" if covered == size[0] * size[1] else "mask"


def _objects_of(
    plane: NDArray[np.bool_],
    place: int,
    settings: SubmissionConfig,
    likely: NDArray[np.float32] | None,
) -> Iterator[Shape]:
    labels = connected_instances(plane[None])[0]
    scores = _means(labels, likely)
    for number, mask in _objects(labels, settings.size):
        yield Shape(rle.runs_of(mask, settings.order), place, scores[number])


def _means(labels: NDArray[np.int32], values: NDArray[np.float32] | None) -> list[float]:
    """The mean of the values of each label from 0, and 0 for label 1 where nothing has it."""
    least = max(1, int(labels.max(initial=0))) + 1
    if values is None:
        return [0.0] * least
    count = np.bincount(labels.ravel(), minlength=least)
    total = np.bincount(labels.ravel(), values.ravel(), minlength=least)
    return [float(each) for each in total / np.maximum(1, count)]


def _objects(
    labels: NDArray[np.int32], size: Size | None
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Number and mask of the objects at the submitted size: first separated, then resized, since
    the line between two that touch is thinner than a pixel of a smaller image. They stay disjoint,
    because a pixel goes to whom more than half of it belongs.
    """
    for number in range(1, int(labels.max(initial=0)) + 1):
        mask = _resized(np.asarray(labels == number), size)
        if mask.any():
            yield number, mask


def _resized(plane: NDArray[np.bool_], size: Size | None) -> NDArray[np.bool_]:
    if size is None:
        return plane
    return np.asarray(_share(plane, size) >= 128)


def _share(plane: NDArray[np.bool_], size: Size) -> NDArray[np.uint8]:
    """How much of each pixel of that size is inside, 0..255."""
    full = plane.view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(full, size[::-1], interpolation=cv2.INTER_AREA))
