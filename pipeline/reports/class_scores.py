"""Scores of the blend by class: pixels, confusions, and objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.metrics.counts import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, counts, ratio
from pipeline.metrics.object_faults import FAULTS, object_faults
from pipeline.reports.html import Table

SCORES = ("class", "images with it", "Dice of an image", "Dice", "IoU", "precision", "recall")


class ImageCounts(NamedTuple):
    """Of one image: pixels (C, 4), as `counts` has them; confusion (C, C), true class by row;
    objects (C, 5) by FAULTS. None where it does not apply.
    """

    pixels: NDArray[np.int64]
    confusion: NDArray[np.int64] | None
    objects: NDArray[np.int64] | None


def count_image(decision: NDArray[np.bool_], truth: Truth, multiclass: bool) -> ImageCounts:
    """The statistics of one image's decision (bool CHW) for the page."""
    return ImageCounts(
        counts(decision, truth),
        _confusion(decision, truth) if multiclass else None,
        None if truth.instances is None else object_faults(decision, truth),
    )


def _confusion(decision: NDArray[np.bool_], truth: Truth) -> NDArray[np.int64]:
    """Pixels by true class (row) and decided class (column), where the truth has a class."""
    classes, labelled = len(decision), truth.planes.any(axis=0)
    if truth.valid is not None:
        labelled &= truth.valid
    true, decided = truth.planes.argmax(axis=0)[labelled], decision.argmax(axis=0)[labelled]
    return np.bincount(true * classes + decided, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """The counts of all images, by class.

    pixels: int (C, 4); images: how many have the class; dice: mean over images, both empty 1.
    """

    classes: Sequence[str]
    pixels: NDArray[np.int64]
    images: Sequence[int]
    dice: Sequence[float]
    confusion: NDArray[np.int64] | None
    objects: NDArray[np.int64] | None

    @classmethod
    def of(cls, classes: Sequence[str], every: Iterable[ImageCounts]) -> ClassScores:
        found = list(every)
        pixels = np.stack([each.pixels for each in found])
        hits, present = pixels[..., TRUE_POSITIVE], _actual(pixels)
        dice = ratio(2 * hits, present + hits + pixels[..., FALSE_POSITIVE]).mean(axis=0)
        confusions = [each.confusion for each in found if each.confusion is not None]
        objects = [each.objects for each in found if each.objects is not None]
        return cls(
            classes,
            pixels.sum(axis=0),
            np.count_nonzero(present, axis=0).tolist(),
            dice.tolist(),
            np.sum(confusions, axis=0) if confusions else None,
            np.sum(objects, axis=0) if objects else None,
        )

    def as_json(self) -> dict[str, Any]:
        arrays = {"pixels": self.pixels, "confusion": self.confusion, "objects": self.objects}
        listed = {name: None if a is None else a.tolist() for name, a in arrays.items()}
        return {"classes": list(self.classes), "images": self.images, "dice": self.dice, **listed}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> ClassScores:
        names = ("pixels", "confusion", "objects")
        arrays = {n: None if facts[n] is None else np.array(facts[n], np.int64) for n in names}
        return cls(facts["classes"], images=facts["images"], dice=facts["dice"], **arrays)  # type: ignore[arg-type]


def score_table(scores: ClassScores) -> Table:
    """A row a class."""
    hits, actual = scores.pixels[:, TRUE_POSITIVE], _actual(scores.pixels)
    decided = hits + scores.pixels[:, FALSE_POSITIVE]
    columns = [
        np.asarray(scores.dice),
        ratio(2 * hits, actual + decided),
        ratio(hits, actual + decided - hits),
        ratio(hits, decided),
        ratio(hits, actual),
    ]
    rows = [
        [name, str(images), *(f"{column[at]:.5f}" for column in columns)]
        for at, (name, images) in enumerate(zip(scores.classes, scores.images, strict=True))
    ]
    return Table(SCORES, rows)


def confusion_table(classes: Sequence[str], confusion: NDArray[np.int64]) -> Table:
    """A row a true class: the shares of its pixels that are decided as each class."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    rows = [
        [name, *(f"{share:.1%}" for share in row), f"{int(confusion[at].sum()):,}"]
        for at, (name, row) in enumerate(zip(classes, shares, strict=True))
    ]
    shades = [[0.0, *row, 0.0] for row in shares.tolist()]
    return Table(["true class", *(f"as {name}" for name in classes), "pixels"], rows, shades=shades)


def object_table(classes: Sequence[str], objects: NDArray[np.int64]) -> Table:
    """A row a class with its objects."""
    rows = [
        [name, *(f"{number:,}" for number in row)]
        for name, row in zip(classes, objects.tolist(), strict=True)
    ]
    return Table(["class", *FAULTS], rows)


def _actual(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    return pixels[..., TRUE_POSITIVE] + pixels[..., FALSE_NEGATIVE]
