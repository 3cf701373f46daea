"""VGG Image Annotator (VIA 1 and 2): a JSON, or a CSV, of regions by image."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import AnnotationFiles
from pipeline.data.listing import listed
from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName, NameIndex
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import (
    Region,
    RegionError,
    ellipse,
    numbers_of,
    polygon,
    rectangle,
)
from pipeline.data.tables import read_table
from pipeline.errors import DataError
from pipeline.size import Size

_COLUMNS = ("region_count", "region_shape_attributes", "region_attributes")
_PROJECT = "_via_img_metadata"
_NUMBERS = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
}


@dataclass(frozen=True)
class ViaFile:
    """See `AnnotationFile`."""

    path: Path
    index: NameIndex
    regions: Sequence[Sequence[tuple[str, Any, Any]]]
    """By image: title, shape and attributes of each region."""
    attribute: str | None
    """Which names the class."""

    @classmethod
    def open(cls, source: JsonText, block: AnnotationFiles) -> ViaFile:
        """DataError where the file is not VIA's."""
        content = source.whole()
        if isinstance(content, dict) and _PROJECT in content:
            content = content[_PROJECT]
        images = list(content.values()) if isinstance(content, dict) else []
        if not images or not all(map(_is_image, images)):
            raise DataError(
                f"{source.path} is not VIA: it is no object of images with 'filename' and "
                "'regions' (projects of VIA 3 are not read; export COCO there)"
            )
        names = [str(each["filename"]) for each in images]
        regions = [list(_regions_of(each["regions"], source.path)) for each in images]
        return cls(source.path, NameIndex(source.path, names), regions, block.class_)

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        place = self.index.find(image)
        assert place is not None
        return [self._annotation(*each) for each in self.regions[place]]

    def doubts(self) -> list[str]:
        return []

    def _annotation(self, place: str, shape: Any, attributes: Any) -> Annotation:
        title = f"region {place}"
        with named_errors(self.path, title):
            return Annotation(title, self._class_in(attributes), [_region(shape)])

    def _class_in(self, attributes: Any) -> str | None:
        if self.attribute is None:
            return None
        value = attributes.get(self.attribute) if isinstance(attributes, dict) else None
        if isinstance(value, dict):  # a group of check boxes
            chosen = [name for name, ticked in value.items() if ticked]
            value = chosen[0] if len(chosen) == 1 else None
        if not isinstance(value, str | int) or value == "":
            there = listed(list(attributes)) if isinstance(attributes, dict) else "none"
            raise RegionError(f"has no class in {self.attribute!r}; its attributes are {there}")
        return str(value)


def open_via_table(path: Path, block: AnnotationFiles) -> ViaFile:
    """The CSV that VIA exports; its cells hold JSON."""
    table = read_table(path, _COLUMNS)
    column = next((each for each in ("filename", "#filename") if each in table.header), None)
    if column is None:
        raise DataError(f"{path} is not VIA's CSV: it has no column 'filename'")
    found: dict[str, list[tuple[str, Any, Any]]] = defaultdict(list)
    cells = zip(table.rows, table[column], *(table[each] for each in _COLUMNS), strict=True)
    for row, name, count, shape, attributes in cells:
        regions = found[name]
        if count.strip() != "0":
            title = f"{len(regions) + 1} (line {row.line})"
            regions.append((title, _cell(shape, path, row.line), _cell(attributes, path, row.line)))
    return ViaFile(path, NameIndex(path, list(found)), list(found.values()), block.class_)


def _cell(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{path}, line {line}: {text[:40]!r} is not JSON") from None


def _is_image(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("filename"), str)
        and isinstance(entry.get("regions"), list | dict)
    )


def _regions_of(regions: Any, path: Path) -> Iterator[tuple[str, Any, Any]]:
    """VIA 1 numbers them, VIA 2 lists them."""
    numbered = regions.items() if isinstance(regions, dict) else enumerate(regions, start=1)
    for place, each in numbered:
        if not isinstance(each, dict):
            raise DataError(f"{path}, region {place}: is no object")
        yield str(place), each.get("shape_attributes"), each.get("region_attributes")


def _region(shape: Any) -> Region:
    if not isinstance(shape, Mapping):
        raise RegionError("has no shape")
    block, kind = dict(shape), shape.get("name")
    if kind == "polygon":
        across, down = block.get("all_points_x"), block.get("all_points_y")
        if not isinstance(across, list) or not isinstance(down, list) or len(across) != len(down):
            raise RegionError("does not have as many x as y")
        return polygon([list(zip(across, down, strict=True))])
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise RegionError(
            f"is a {kind}, which has no area; draw a polygon, rect, circle or ellipse"
        )
    values = list(numbers_of(block, _NUMBERS[kind]))
    if kind == "rect":
        return rectangle(values[0], values[1], values[2], values[3])
    angle = next(numbers_of({"theta": 0, **block}, ["theta"]))
    return ellipse(values[0], values[1], values[2], values[-1], angle)
