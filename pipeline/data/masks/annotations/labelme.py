"""LabelMe: one JSON an image, a list of shapes."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import (
    Pixels,
    Region,
    RegionError,
    ellipse,
    point,
    polygon,
    rectangle,
)
from pipeline.data.masks.files import MaskSizeError
from pipeline.data.masks.one_class import decode_inside
from pipeline.errors import DataError
from pipeline.size import Size

_NO_AREA = ("point", "points", "line", "linestrip")


@dataclass(frozen=True)
class LabelMeFile:
    """See `AnnotationFile`."""

    path: Path
    content: dict[str, Any]

    index: ClassVar[None] = None

    @classmethod
    def open(cls, source: JsonText) -> LabelMeFile:
        """DataError where the file is not LabelMe's."""
        content = source.whole()
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            raise DataError(f"{source.path} is not LabelMe: it has no list 'shapes'")
        return cls(source.path, content)

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        stated = self.content.get("imageHeight"), self.content.get("imageWidth")
        if type(stated[0]) is int and type(stated[1]) is int and stated != size:
            raise MaskSizeError(self.path, (stated[0], stated[1]), size)
        return list(_grouped(self._shapes()))

    def doubts(self) -> list[str]:
        return []

    def _shapes(self) -> Iterator[tuple[Annotation, Any]]:
        """Each shape, and the number of its group."""
        for place, shape in enumerate(self.content["shapes"], start=1):
            label = shape.get("label") if isinstance(shape, dict) else None
            title = f"shape {place}" + (f" ({label})" if isinstance(label, str) else "")
            with named_errors(self.path, title):
                if not isinstance(label, str):
                    raise RegionError("has no label")
                yield Annotation(title, label, [self._region(shape)]), shape.get("group_id")

    def _region(self, shape: dict[str, Any]) -> Region:
        kind, points = shape.get("shape_type", "polygon"), shape.get("points")
        if kind == "polygon" or (kind == "rectangle" and len(points or ()) == 4):
            return polygon([points])
        if kind in ("rectangle", "circle", "mask"):
            (x, y), (x2, y2) = _two(points)
            if kind == "rectangle":
                return rectangle(x, y, x2 - x, y2 - y)
            if kind == "circle":
                radius = math.hypot(x2 - x, y2 - y)
                return ellipse(x, y, radius, radius)
            return self._painted(shape.get("mask"), round(x), round(y))
        if kind in _NO_AREA:
            raise RegionError(f"is a {kind}, which has no area; draw a polygon, or remove it")
        raise RegionError(
            f"has the shape_type {kind!r}; known are polygon, rectangle, circle and mask"
        )

    def _painted(self, text: Any, x: int, y: int) -> Pixels:
        try:
            data = base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise RegionError("its mask is no picture in base64") from None
        inside = decode_inside(data, self.path)
        return Pixels(np.asarray(inside, np.bool_), y, x)


def _two(points: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    if not isinstance(points, list) or len(points) != 2:
        raise RegionError("does not have two points")
    return point(points[0]), point(points[1])


def _grouped(shapes: Iterator[tuple[Annotation, Any]]) -> Iterator[Annotation]:
    """Shapes of one label and group_id are parts of one object."""
    groups: dict[tuple[Any, ...], Annotation] = {}
    for place, (each, group) in enumerate(shapes):
        key = (place,) if group is None else (each.name, str(group))
        known = groups.get(key)
        regions = [*(known.regions if known else ()), *each.regions]
        groups[key] = replace(known or each, regions=regions)
    yield from groups.values()
