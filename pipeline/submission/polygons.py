"""Polygons as GeoJSON (RFC 7946) in the pixels of images: a feature a shape.

Outlines run along the edges of pixels, so that they enclose just the pixels of the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.data import rle
from pipeline.data.masks.annotations.drawing import draw_rings
from pipeline.data.row_keys import table_key
from pipeline.size import Size
from pipeline.submission.cells import shown_score
from pipeline.submission.format import SubmissionFormat
from pipeline.submission.json_rows import Entry
from pipeline.submission.outlines import Polygon, Ring, outlines
from pipeline.submission.planes import Shape
from pipeline.submission.shape_list import ImageKey, ShapeList


class GeoJson:
    """Shapes as features; with `rows: instance` one an object, else one a class."""

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".geojson"

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]
    ) -> SubmissionFormat:
        keys: dict[str, ImageKey] = {each: table_key(settings, each, "")[0] for each in ids}
        names = data.class_names
        return ShapeList(settings, GeoJsonNotation(names), keys, len(names))


@dataclass(frozen=True)
class GeoJsonNotation:
    """See `Notation`. names: of the classes."""

    names: tuple[str, ...]

    before: ClassVar[str] = '{"type":"FeatureCollection","features":['
    after: ClassVar[str] = "]}"

    def entry(self, image: ImageKey, shape: Shape, size: Size) -> Entry:
        parts = [_closed(each) for each in outlines(rle.mask_of(shape.runs, size, "column"))]
        kind = "Polygon" if len(parts) == 1 else "MultiPolygon"
        coordinates = parts[0] if len(parts) == 1 else parts
        return {
            "type": "Feature",
            "properties": {
                "image": image,
                "class": self.names[shape.plane],
                "score": float(shown_score(shape.score)),
            },
            "geometry": {"type": kind, "coordinates": coordinates},
        }

    def image(self, entry: Entry) -> ImageKey:
        key: ImageKey = entry["properties"]["image"]
        return key

    def shape(self, entry: Entry, size: Size) -> Shape:
        said, geometry = entry["properties"], entry["geometry"]
        parts = geometry["coordinates"]
        if geometry["type"] == "Polygon":
            parts = [parts]
        rings: list[Any] = [np.array(ring[:-1], np.float64) for part in parts for ring in part]
        window, mask = draw_rings(rings, size), np.zeros(size, np.bool_)
        mask[window.place] = window.inside
        return Shape(
            rle.runs_of(mask, "column"), self.names.index(said["class"]), float(said["score"])
        )


def _closed(polygon: Polygon) -> list[list[list[int]]]:
    """Rings whose last point is the first again, as GeoJSON wants them."""

    def points(ring: Ring) -> list[list[int]]:
        listed: list[list[int]] = ring.tolist()
        return [*listed, listed[0]]

    return [points(ring) for ring in polygon]
