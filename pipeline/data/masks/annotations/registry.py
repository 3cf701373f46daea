"""The annotation formats, one file each, and how a file shows which it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config import AnnotationFiles
from pipeline.config.annotations import ONE_FILE_AN_IMAGE
from pipeline.data.masks.annotations.annotation import AnnotationFile
from pipeline.data.masks.annotations.coco import CocoFile
from pipeline.data.masks.annotations.deepfashion import DeepFashionFile
from pipeline.data.masks.annotations.geojson import GeoJsonFile
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.labelme import LabelMeFile
from pipeline.data.masks.annotations.polygon_lines import PolygonLines
from pipeline.data.masks.annotations.via import ViaFile, open_via_table
from pipeline.data.masks.annotations.yolo import YoloFile
from pipeline.errors import DataError

_SUFFIXES = {".txt": "yolo", ".csv": "via", ".geojson": "geojson", ".jsonl": "jsonl"}
_KEYS = {
    "shapes": "labelme",
    "imageData": "labelme",
    "categories": "coco",
    "images": "coco",
    "features": "geojson",
    "geometry": "geojson",
    "_via_settings": "via",
    "_via_img_metadata": "via",
    "pair_id": "deepfashion2",
}
"""Keys at the top of a JSON that only one format has."""


def open_annotations(path: Path, block: AnnotationFiles, classes: Sequence[str]) -> AnnotationFile:
    """An annotation file in its format; DataError where it cannot be told, or is not that."""
    name = block.format or _SUFFIXES.get(path.suffix.lower())
    if name == "yolo":
        return YoloFile.open(path, block, classes)
    if name == "via" and path.suffix.lower() == ".csv":
        return open_via_table(path, block)
    source = JsonText.read(path)
    if name == "jsonl":
        return PolygonLines.open(source)
    name = name or _told(source)
    if name in ONE_FILE_AN_IMAGE and block.pattern is None:
        raise DataError(
            f"{path} is {name}, which has one file an image; put {{id}} into data.masks.annotations"
        )
    if name == "coco":
        return CocoFile.open(source, block)
    if name == "via":
        return ViaFile.open(source, block)
    if name == "labelme":
        return LabelMeFile.open(source)
    if name == "deepfashion2":
        return DeepFashionFile.open(source)
    return GeoJsonFile.open(source, block)


def _told(source: JsonText) -> str:
    """The format of a JSON, by what is at its top."""
    keys: dict[str, None] = {}
    for piece in source.pieces():
        if found := _KEYS.get(piece.key) or _by_value(piece.value):
            return found
        keys[piece.key] = None
    raise DataError(
        f"{source.path} is JSON of no known format (at its top: "
        f"{', '.join(map(repr, list(keys)[:5]))}); set data.masks.format"
    )


def _by_value(value: Any) -> str | None:
    """VIA has an object an image, QuPath a list of GeoJSON's features."""
    if isinstance(value, dict) and "regions" in value and "filename" in value:
        return "via"
    return "geojson" if isinstance(value, dict) and value.get("type") == "Feature" else None
