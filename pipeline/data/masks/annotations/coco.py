"""COCO: one JSON of images, categories and annotations, each a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import AnnotationFiles
from pipeline.data.listing import listed
from pipeline.data.masks.annotations import coco_rle
from pipeline.data.masks.annotations.annotation import Annotation, named_errors
from pipeline.data.masks.annotations.image_names import ImageName, NameIndex
from pipeline.data.masks.annotations.json_text import JsonText, Piece
from pipeline.data.masks.annotations.regions import (
    Pixels,
    Polygon,
    Region,
    RegionError,
    ring_of_flat,
)
from pipeline.data.masks.files import MaskSizeError
from pipeline.errors import DataError
from pipeline.size import Size

_LISTS = ("images", "annotations", "categories")


@dataclass
class CocoFile:
    """See `AnnotationFile`. Annotations stay text until their image is asked for."""

    source: JsonText
    index: NameIndex
    images: list[dict[str, Any]] = field(default_factory=list)
    categories: dict[str, str] = field(default_factory=dict)
    """Its id in the file → its name."""
    places: dict[str, list[int]] = field(default_factory=dict)
    """Id of an image → where its annotations start in the text."""

    @classmethod
    def open(cls, source: JsonText, block: AnnotationFiles) -> CocoFile:
        """DataError where the file is not COCO."""
        found: dict[str, list[Piece]] = {"images": [], "categories": []}
        places: dict[str, list[int]] = defaultdict(list)
        keys: dict[str, None] = {}
        for piece in source.pieces():
            keys[piece.key] = None
            if piece.key in _LISTS and piece.listed and not isinstance(piece.value, dict):
                raise DataError(f"{source.path}: an entry of {piece.key!r} is no object")
            if piece.key == "annotations" and piece.listed:
                places[str(piece.value.get("image_id"))].append(piece.start)
            elif piece.key in found and piece.listed:
                found[piece.key].append(piece)
        if missing := [each for each in _LISTS if each not in keys]:
            raise DataError(
                f"{source.path} is not COCO: it has no {', '.join(map(repr, missing))}; at its top "
                f"are {listed(list(keys))}"
            )
        images = [piece.value for piece in found["images"]]
        names = [_name(each) for each in images]
        ids = [str(each.get("id")) for each in images] if block.match == "id" else []
        categories = {
            str(each.value.get("id")): str(each.value.get("name")) for each in found["categories"]
        }
        return cls(source, NameIndex(source.path, names, ids), images, categories, dict(places))

    @property
    def path(self) -> Path:
        return self.source.path

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        place = self.index.find(image)
        assert place is not None
        entry = self.images[place]
        stated = entry.get("height"), entry.get("width")
        if None not in stated and stated != size:
            if not all(type(each) is int for each in stated):
                raise DataError(f"{self.path}: image {_name(entry)!r} has the size {stated}")
            where = f"{self.path}: {_name(entry)}"
            raise MaskSizeError(where, (int(stated[0] or 0), int(stated[1] or 0)), size)
        starts = self.places.get(str(entry.get("id")), [])
        return [self._annotation(self.source.at(start), size) for start in starts]

    def doubts(self) -> Iterator[str]:
        known = {str(each.get("id")) for each in self.images}
        if lost := sorted(set(self.places) - known):
            count = sum(len(self.places[each]) for each in lost)
            yield f"{count} annotation(s) are of images that it does not list, ids {listed(lost)}"

    def _annotation(self, entry: dict[str, Any], size: Size) -> Annotation:
        title = f"annotation {entry.get('id')}"
        category = str(entry.get("category_id"))
        with named_errors(self.path, title):
            if category not in self.categories:
                ids = listed(list(self.categories))
                raise RegionError(f"category_id is {category}; the categories have the ids {ids}")
            regions = list(_regions(entry, size))
        void = entry.get("iscrowd") in (1, True)
        return Annotation(title, self.categories[category], regions, void)


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("file_name") or entry.get("id"))


def _regions(entry: dict[str, Any], size: Size) -> Iterator[Region]:
    """Parts are united: COCO's polygons have no holes."""
    shape = entry.get("segmentation")
    if isinstance(shape, dict):
        yield Pixels(coco_rle.decode(shape, size))
        return
    if not shape or not isinstance(shape, list):
        box = "; a box alone is no mask" if entry.get("bbox") else ""
        raise RegionError(f"has no segmentation{box}")
    for part in shape:
        yield Polygon((ring_of_flat(part),))
