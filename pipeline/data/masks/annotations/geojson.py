"""GeoJSON: one file an image, in its pixels or, through its geotransform, in the world's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipeline.config import AnnotationFiles
from pipeline.data.listing import listed
from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.geotransform import GeoTransform, geotransform
from pipeline.data.masks.annotations.image_names import ImageName
from pipeline.data.masks.annotations.json_text import JsonText
from pipeline.data.masks.annotations.regions import Polygon, RegionError, polygon
from pipeline.errors import DataError
from pipeline.size import Size

_LONGITUDE_LATITUDE = 4326
_FEATURES = "FeatureCollection"


@dataclass(frozen=True)
class GeoJsonFile:
    """See `AnnotationFile`."""

    path: Path
    features: list[Any]
    code: int | None
    """EPSG code of its coordinates, where it says that."""
    block: AnnotationFiles

    index: ClassVar[None] = None

    @classmethod
    def open(cls, source: JsonText, block: AnnotationFiles) -> GeoJsonFile:
        """A FeatureCollection, a Feature, or a list of those; DataError for anything else."""
        content = source.whole()
        top = content if isinstance(content, dict) else {}
        if top.get("type") == _FEATURES and isinstance(top.get("features"), list):
            return cls(source.path, top["features"], _code(top.get("crs")), block)
        if top.get("type") == "Feature":
            content = [content]
        if not isinstance(content, list):
            raise DataError(f"{source.path} is not GeoJSON: it is no FeatureCollection")
        return cls(source.path, content, None, block)

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        place = None
        if self.block.coordinates != "pixel":
            place = geotransform(image.path)
            self._refuse_other_world(place, image)
        found = list(self._annotations(place))
        if place is not None and found and self.block.coordinates is None:
            self._refuse_pixels(found, image, size)
        return found

    def doubts(self) -> list[str]:
        return []

    def _refuse_other_world(self, place: GeoTransform | None, image: ImageName) -> None:
        if place is None:
            if self.block.coordinates == "world":
                raise DataError(f"{image.path} has no geotransform, and {self.path} needs it")
        elif None not in (place.code, self.code) and place.code != self.code:
            raise DataError(
                f"{self.path} is in EPSG:{self.code}, {image.path} in EPSG:{place.code}; "
                "reproject one of them"
            )

    def _refuse_pixels(self, found: list[Annotation], image: ImageName, size: Size) -> None:
        """Features in pixels of an image that has a place in the world lie nowhere near it."""
        if not all(region.beyond(size) for each in found for region in each.regions):
            return
        drawn = [region for each in self._annotations(None) for region in each.regions]
        if not any(region.beyond(size) for region in drawn):
            raise DataError(
                f"{self.path}: all features lie outside {image.path} by its geotransform, and "
                "within it as pixels; set data.masks.coordinates: pixel (or world)"
            )

    def _annotations(self, place: GeoTransform | None) -> Iterator[Annotation]:
        for number, feature in enumerate(self.features, start=1):
            title = f"feature {number}"
            with named_errors(self.path, title):
                if not isinstance(feature, dict) or feature.get("type") != "Feature":
                    raise RegionError("is no Feature")
                regions = list(_polygons(feature.get("geometry"), place))
                yield Annotation(title, self._class_in(feature.get("properties")), regions)

    def _class_in(self, properties: Any) -> str | None:
        """The class; `a.b` is the property b of the property a."""
        key = self.block.class_
        if key is None:
            return None
        known = properties if isinstance(properties, dict) else {}
        value: Any = known.get(key)
        if value is None:
            value = known
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, str | int) or value == "":
            raise RegionError(f"has no class in {key!r}; its properties are {listed(list(known))}")
        return str(value)


def _polygons(geometry: Any, place: GeoTransform | None) -> Iterator[Polygon]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise RegionError(f"is a {kind}; only Polygon and MultiPolygon have an area")
    parts = geometry.get("coordinates")
    for part in [parts] if kind == "Polygon" else parts:
        if not isinstance(part, list) or not part:
            raise RegionError("has no rings")
        drawn = polygon(part)
        if place is not None:
            drawn = Polygon(tuple(place.pixels_of(each) for each in drawn.rings))
        yield drawn


def _code(crs: Any) -> int | None:
    """The EPSG code of a `crs` member; it is gone since RFC 7946, and still common."""
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    if name.endswith("CRS84"):
        return _LONGITUDE_LATITUDE
    found = re.search(r"EPSG:(?:.*:)?(\d{1,9})$", name)
    return int(found[1]) if found else None
