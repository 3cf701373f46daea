"""Lines of JSON, one an image: its id, and polygons with classes (HuBMAP's polygons.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName, NameIndex
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import RegionError, polygon
from pipeline.errors import DataError
from pipeline.size import Size


@dataclass(frozen=True)
class PolygonLines:
    """See `AnnotationFile`. Lines stay text until their image is asked for."""

    path: Path
    index: NameIndex
    lines: tuple[str, ...]

    @classmethod
    def open(cls, source: JsonText) -> PolygonLines:
        """DataError where a line names no image."""
        lines = tuple(line for line in source.text.splitlines() if line.strip())
        names = [_named(line, source.path, number) for number, line in enumerate(lines, start=1)]
        return cls(source.path, NameIndex(source.path, names), lines)

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        place = self.index.find(image)
        assert place is not None
        return list(self._annotations(place))

    def doubts(self) -> list[str]:
        return []

    def _annotations(self, place: int) -> Iterator[Annotation]:
        for number, entry in enumerate(json.loads(self.lines[place])["annotations"], start=1):
            title = f"line {place + 1}, annotation {number}"
            with named_errors(self.path, title):
                name = entry.get("type") if isinstance(entry, dict) else None
                if not isinstance(name, str):
                    raise RegionError("has no type")
                rings = entry.get("coordinates")
                if not isinstance(rings, list) or not rings:
                    raise RegionError("has no coordinates")
                yield Annotation(title, name, [polygon(rings)])


def _named(line: str, path: Path, number: int) -> str:
    """The id of the image that a line is about."""
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number} is not JSON: {error}") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("annotations"), list):
        raise DataError(f"{path}, line {number}: has no 'id' with a list 'annotations'")
    return str(entry.get("id", ""))
