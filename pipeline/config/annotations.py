"""Masks from files of annotation tools: where they are, and what in them is what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipeline.config.base import Block
from pipeline.config.choices import AnnotationFormat
from pipeline.config.patterns import file_pattern, path_in_bounds

ONE_FILE_AN_IMAGE = ("labelme", "yolo", "geojson", "deepfashion2")
"""Formats that do not say which image they are about."""


class AnnotationFiles(Block):
    """Masks that an annotation tool wrote: polygons and other shapes, or COCO's run lengths."""

    annotations: str
    """The file below `data.root`, such as `train.json`; `labels/{id}.json`: one file an image."""
    format: AnnotationFormat | None = None
    """null: told from the file."""
    class_: str | None = Field(None, alias="class")
    """Property (GeoJSON) or region attribute (VIA) that names the class; null: all regions are of
    the one class. The other formats name it themselves."""
    match: Literal["file_name", "id"] = "file_name"
    """How an image is found in a COCO file: by its name there, or by its id there."""
    others: Literal["error", "skip", "void"] = "error"
    """Regions whose class is not in `data.classes`. skip: as if they were not there; void: no loss,
    metric or search counts their pixels."""
    missing: Literal["error", "empty"] = "error"
    """An image without a file, or which the file does not list. empty: nothing is on it."""
    coordinates: Literal["pixel", "world"] | None = None
    """Of GeoJSON. world: through the geotransform of the image (GeoTIFF); null: world where the
    image has one."""
    instances: bool = True
    """true: each region is one object; false: regions of a class are only united."""

    @field_validator("annotations")
    @classmethod
    def _finds_files(cls, pattern: str) -> str:
        if "{id}" in pattern:
            return file_pattern(pattern, ("{id}",))
        if strange := re.search(r"\{[^/}]*\}|\*", pattern):
            raise ValueError(
                f"{strange[0]} without {{id}}; name one file, or one an image by {{id}}"
            )
        if not pattern.strip() or Path(pattern).is_absolute():
            raise ValueError("must be a file below data.root")
        path_in_bounds(Path(pattern))
        return pattern

    @property
    def by_class(self) -> bool:
        """False: one file has all classes."""
        return False

    @property
    def pattern(self) -> str | None:
        """Of the files, where each image has one."""
        return self.annotations if "{id}" in self.annotations else None

    def problems(self, classes: int) -> Iterator[str]:
        """Settings that do not fit each other, or this number of classes."""
        if self.format in ONE_FILE_AN_IMAGE and self.pattern is None:
            yield (
                f"masks.format: {self.format} has one file an image; put {{id}} into "
                "masks.annotations"
            )
        if self.match == "id" and self.format not in (None, "coco"):
            yield f"masks.match: id is of COCO, not of {self.format}"
        if self.coordinates and self.format not in (None, "geojson"):
            yield f"masks.coordinates: {self.coordinates} is of GeoJSON, not of {self.format}"
        if self.class_ and self.format not in (None, "geojson", "via"):
            yield f"masks.class: {self.format} names classes itself"
        if self.class_ is None and self.format in ("geojson", "via") and classes > 1:
            yield (
                f"masks: with several classes, {self.format} needs masks.class, the name of what "
                "holds the class of a region"
            )
