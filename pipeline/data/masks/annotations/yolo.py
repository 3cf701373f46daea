"""YOLO's segmentation labels: a text an image, a line an object: class x y x y … in 0..1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.config import AnnotationFiles
from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName
from pipeline.data.masks.annotations.regions import Polygon, RegionError, number, ring
from pipeline.errors import DataError
from pipeline.size import Size

_BEYOND = 1.0
"""Share of the image that an outline may lie outside; coordinates in pixels lie farther."""


@dataclass(frozen=True)
class YoloFile:
    """See `AnnotationFile`. It calls a class by its place in `data.classes`, from 0."""

    path: Path
    lines: tuple[str, ...]
    classes: Sequence[str]

    index: ClassVar[None] = None

    @classmethod
    def open(cls, path: Path, block: AnnotationFiles, classes: Sequence[str]) -> YoloFile:
        """An empty file is an image without objects."""
        if block.pattern is None:
            raise DataError(
                f"{path} is yolo, which has one file an image; put {{id}} into "
                "data.masks.annotations"
            )
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            return cls(path, tuple(lines), classes)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise DataError(f"{path} is no text of YOLO labels") from None

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        return list(self._annotations(size))

    def doubts(self) -> list[str]:
        return []

    def _annotations(self, size: Size) -> Iterator[Annotation]:
        for place, line in enumerate(self.lines, start=1):
            cells = line.split()
            if not cells:
                continue
            title = f"line {place}"
            with named_errors(self.path, title):
                if not cells[0].isascii() or not cells[0].isdecimal():
                    raise RegionError(f"its class is {cells[0][:20]!r}, not a number from 0")
                yield Annotation(title, self._name(int(cells[0][:9])), [_outline(cells[1:], size)])

    def _name(self, place: int) -> str:
        return self.classes[place] if place < len(self.classes) else f"number {place} (from 0)"


def _outline(cells: list[str], size: Size) -> Polygon:
    if len(cells) == 4:
        raise RegionError("has 4 numbers, which are a box; a segment has x y of 3 points or more")
    if len(cells) % 2:
        raise RegionError(f"has an odd count of coordinates, {len(cells)}")
    shares = np.array([_share(each) for each in cells]).reshape(-1, 2)
    if len(shares) and (shares.min() < -_BEYOND or shares.max() > 1 + _BEYOND):
        raise RegionError(
            f"has the coordinate {shares.flat[np.abs(shares - 0.5).argmax()]:g}; YOLO's are shares "
            "of width and height, 0 to 1"
        )
    return Polygon((ring((shares * (size[1], size[0])).tolist()),))


def _share(cell: str) -> float:
    try:
        return number(float(cell))
    except ValueError:
        raise RegionError(f"has the coordinate {cell[:20]!r}") from None
