"""DeepFashion2: one JSON an image, its clothes under `item1`, `item2`, …"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import Polygon, RegionError, ring_of_flat
from pipeline.errors import DataError
from pipeline.size import Size


@dataclass(frozen=True)
class DeepFashionFile:
    """See `AnnotationFile`."""

    path: Path
    content: dict[str, Any]

    index: ClassVar[None] = None

    @classmethod
    def open(cls, source: JsonText) -> DeepFashionFile:
        """DataError where the file is not DeepFashion2's."""
        content = source.whole()
        if not isinstance(content, dict) or "pair_id" not in content:
            raise DataError(f"{source.path} is not DeepFashion2: it has no 'pair_id'")
        return cls(source.path, content)

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        return list(self._items())

    def doubts(self) -> list[str]:
        return []

    def _items(self) -> Iterator[Annotation]:
        found = (re.fullmatch(r"item(\d+)", key) for key in self.content)
        for number, key in sorted((int(each[1]), each[0]) for each in found if each):
            item, title = self.content[key], f"item {number}"
            with named_errors(self.path, title):
                name = item.get("category_name") if isinstance(item, dict) else None
                if not isinstance(name, str):
                    raise RegionError("has no category_name")
                parts = item.get("segmentation")
                if not isinstance(parts, list) or not parts:
                    raise RegionError("has no segmentation")
                yield Annotation(title, name, [Polygon((ring_of_flat(part),)) for part in parts])
