"""Writes the same polygons as the annotation tools do, a function a format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.data_folders import write

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Shape:
    """One polygon of a class."""

    name: str
    points: Points
    """x, y"""


Images = Mapping[str, Sequence[Shape]]
"""Id → its shapes."""
Size = tuple[int, int]
Writer = Callable[[Path, Images, Size, Sequence[str]], dict[str, Any]]
"""Folder, shapes, H and W, classes -> `data.masks`, whose files are written."""


def coco(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    numbers = {name: number for number, name in enumerate(images, start=100)}
    shapes = [(name, shape) for name, shapes in images.items() for shape in shapes]
    content = {
        "info": {"year": 2026},
        "images": [
            {"id": number, "file_name": f"{name}.png", "height": size[0], "width": size[1]}
            for name, number in numbers.items()
        ],
        "annotations": [
            {
                "id": at,
                "image_id": numbers[name],
                "category_id": 7 * classes.index(shape.name),
                "segmentation": [[each for point in shape.points for each in point]]
                if shape.points
                else [],
                "iscrowd": 0,
            }
            for at, (name, shape) in enumerate(shapes, start=1)
        ],
        "categories": [{"id": 7 * at, "name": name} for at, name in enumerate(classes)],
    }
    write(root / "train.json", json.dumps(content))
    return {"annotations": "train.json"}


def labelme(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    for name, shapes in images.items():
        drawn = [
            {"label": each.name, "points": [*map(list, each.points)], "shape_type": "polygon"}
            for each in shapes
        ]
        content = {
            "version": "5.4.1", "shapes": drawn, "imagePath": f"{name}.png", "imageData": None,
            "imageHeight": size[0], "imageWidth": size[1],
        }  # fmt: skip
        write(root / f"labels/{name}.json", json.dumps(content))
    return {"annotations": "labels/{id}.json"}


def _via_region(shape: Shape) -> dict[str, Any]:
    across, down = [point[0] for point in shape.points], [point[1] for point in shape.points]
    return {
        "shape_attributes": {"name": "polygon", "all_points_x": across, "all_points_y": down},
        "region_attributes": {"kind": shape.name},
    }


def via(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    content = {
        f"{name}.png4711": {
            "filename": f"{name}.png", "size": 4711, "file_attributes": {},
            "regions": [_via_region(each) for each in shapes],
        }
        for name, shapes in images.items()
    }  # fmt: skip
    write(root / "via.json", json.dumps(content))
    return {"annotations": "via.json", "class": "kind"}


def via_csv(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    lines = [
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes"
    ]
    for name, shapes in images.items():
        regions = list(map(_via_region, shapes)) or [{}]
        for at, region in enumerate(regions):
            cells = [json.dumps(region.get(f"{key}_attributes", {})) for key in ("shape", "region")]
            quoted = ['"{}"'.format(each.replace('"', '""')) for each in ("{}", *cells)]
            lines.append(f"{name}.png,4711,{quoted[0]},{len(shapes)},{at},{quoted[1]},{quoted[2]}")
    write(root / "via.csv", "\n".join(lines) + "\n")
    return {"annotations": "via.csv", "class": "kind"}


def geojson(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    for name, shapes in images.items():
        features = [
            {
                "type": "Feature",
                "properties": {"kind": each.name},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[*map(list, [*each.points, *each.points[:1]])]],
                },
            }
            for each in shapes
        ]
        content = {"type": "FeatureCollection", "features": features}
        write(root / f"labels/{name}.geojson", json.dumps(content))
    return {"annotations": "labels/{id}.geojson", "class": "kind"}


def yolo(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    for name, shapes in images.items():
        lines = []
        for each in shapes:
            shares = [f"{x / size[1]!r} {y / size[0]!r}" for x, y in each.points]
            lines.append(" ".join([str(classes.index(each.name)), *shares]))
        write(root / f"labels/{name}.txt", "\n".join(lines))
    return {"annotations": "labels/{id}.txt"}


def jsonl(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    lines = []
    for name, shapes in images.items():
        entries = [
            {"type": each.name, "coordinates": [[*map(list, each.points)]]} for each in shapes
        ]
        lines.append(json.dumps({"id": name, "annotations": entries}))
    write(root / "polygons.jsonl", "\n".join(lines) + "\n")
    return {"annotations": "polygons.jsonl"}


def deepfashion2(root: Path, images: Images, size: Size, classes: Sequence[str]) -> dict[str, Any]:
    for name, shapes in images.items():
        content: dict[str, Any] = {"source": "shop", "pair_id": 1}
        for at, each in reversed(list(enumerate(shapes, start=1))):
            flat = [number for point in each.points for number in point]
            content[f"item{at}"] = {
                "segmentation": [flat] if flat else [], "category_name": each.name,
                "category_id": classes.index(each.name) + 1, "style": 0,
            }  # fmt: skip
        write(root / f"annos/{name}.json", json.dumps(content))
    return {"annotations": "annos/{id}.json"}


WRITERS: dict[str, Writer] = {
    "coco": coco,
    "labelme": labelme,
    "via": via,
    "via-csv": via_csv,
    "geojson": geojson,
    "yolo": yolo,
    "jsonl": jsonl,
    "deepfashion2": deepfashion2,
}
