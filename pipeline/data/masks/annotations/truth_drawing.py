"""Draws the annotations of an image into its ground truth."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pipeline.data.ground_truth import Truth
from pipeline.data.listing import enumerated
from pipeline.data.masks.annotations.annotation import Annotation
from pipeline.size import Size

_BEYOND = "outside the image, so nothing of it is left"
_TINY = "smaller than a pixel: it surrounds the centre of none"


class TruthDrawing:
    """The truth of one image, annotation by annotation.

    A pixel that two objects of a class claim belongs to the first. What is void is of no class.
    """

    def __init__(self, classes: int, size: Size, *, objects: bool) -> None:
        self._size = size
        kind = np.int32 if objects else np.uint8
        self._labels = np.zeros((classes, *size), kind)
        self._objects = objects
        self._valid = np.ones(size, np.bool_)
        self._count = [0] * classes
        self._odd: dict[str, list[str]] = defaultdict(list)

    def add(self, annotation: Annotation, plane: int | None) -> None:
        """Draw an object of the class of that place, or a void region."""
        number, drawn = 1, False
        if plane is not None and self._objects:
            self._count[plane] += 1
            number = self._count[plane]
        for region in annotation.regions:
            window = region.draw(self._size)
            drawn |= bool(window.inside.any())
            if plane is None:
                self._valid[window.place][window.inside] = False
                continue
            there = self._labels[plane][window.place]
            there[window.inside & (there == 0)] = number
        if not drawn:
            beyond = all(region.beyond(self._size) for region in annotation.regions)
            self._odd[_BEYOND if beyond else _TINY].append(annotation.title)

    def truth(self) -> Truth:
        """What has been drawn."""
        void = not self._valid.all()
        if void:
            self._labels[:, ~self._valid] = 0
        notes = tuple(f"{enumerated(titles)}: {why}" for why, titles in self._odd.items())
        valid = self._valid if void else None
        if not self._objects:
            return Truth(self._labels.astype(np.uint8, copy=False), valid, None, notes)
        planes = np.asarray(self._labels > 0).view(np.uint8)
        return Truth(planes, valid, self._labels.astype(np.int32, copy=False), notes)
