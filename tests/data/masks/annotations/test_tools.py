"""What is particular to LabelMe, VIA, GeoJSON and YOLO."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.annotations.geotransform import geotransform
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError
from tests.helpers.data_folders import config, encoded, save, smooth, write
from tests.helpers.polygons import slow_polygon
from tests.helpers.shared_data import shared_data

SIZE = (24, 36)


def truth_of(root: Path, masks: dict[str, Any], **keys: Any) -> Truth:
    if not (root / "images").is_dir():
        save(root / "images/a.png", smooth(*SIZE))
    data = config(root, masks=masks, **keys)
    sample = list_samples(data).by_id["train"]["a"]
    return mask_format(data).read(sample.id, sample.masks, SIZE)


def labelme(root: Path, *shapes: dict[str, Any]) -> dict[str, Any]:
    content = {"shapes": [{"label": "car", **each} for each in shapes]}
    write(root / "labels/a.json", json.dumps(content))
    return {"annotations": "labels/{id}.json"}


def disc(x: float, y: float, across: float, down: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return ((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 <= 1


def block(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_the_shapes_of_labelme(tmp_path: Path) -> None:
    painted = base64.b64encode(encoded(Image.fromarray(np.eye(4, 6, dtype=bool)), "PNG")).decode()
    shapes = [
        ({"shape_type": "rectangle", "points": [[8, 6], [2, 1]]}, block(1, 6, 2, 8)),
        ({"shape_type": "circle", "points": [[20, 10], [23, 14]]}, disc(20, 10, 5, 5)),
        ({"points": [[2, 10], [8, 10], [8, 14], [2, 14]]}, block(10, 14, 2, 8)),
        (
            {"shape_type": "mask", "points": [[30, 18], [35, 21]], "mask": painted},
            np.pad(np.eye(4, 6, dtype=bool), ((18, 2), (30, 0))),
        ),
    ]
    truth = truth_of(tmp_path, labelme(tmp_path, *(shape for shape, _ in shapes)))
    assert truth.instances is not None
    for number, (_, expected) in enumerate(shapes, start=1):
        assert np.array_equal(truth.instances[0] == number, expected)


def test_shapes_of_one_group_are_one_object(tmp_path: Path) -> None:
    boxes = [[[x, 1], [x + 4, 1], [x + 4, 5], [x, 5]] for x in (0, 8, 16)]
    groups = [3, None, 3]
    shapes = [{"points": box, "group_id": at} for box, at in zip(boxes, groups, strict=True)]
    truth = truth_of(tmp_path, labelme(tmp_path, *shapes))
    assert truth.instances is not None
    assert truth.instances[0, 2, [1, 9, 17]].tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"shape_type": "linestrip", "points": [[1, 1], [2, 2], [3, 1]]}, "is a linestrip, which"),
        ({"shape_type": "point", "points": [[1, 1]]}, "is a point, which has no area"),
        ({"shape_type": "blob", "points": []}, "has the shape_type 'blob'; known are polygon"),
        ({"shape_type": "circle", "points": [[1, 1]]}, "does not have two points"),
        ({"shape_type": "circle", "points": [[1, 1], [1, 1]]}, "its radius is 0"),
        ({"shape_type": "rectangle", "points": [[1], [1, 1]]}, "a point is .1., not x and y"),
        ({"shape_type": "mask", "points": [[1, 1], [3, 3]], "mask": "!"}, "no picture in base64"),
        ({"label": 5, "points": [[1, 1]]}, "has no label"),
    ],
)
def test_a_shape_without_area_is_named(shape: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"a\.json, shape 1( \(car\))?: .*{says}"):
        truth_of(tmp_path, labelme(tmp_path, shape))


def via(root: Path, *shapes: dict[str, Any], attributes: Any = None) -> dict[str, Any]:
    regions = [{"shape_attributes": each, "region_attributes": attributes or {}} for each in shapes]
    write(root / "via.json", json.dumps({"a": {"filename": "a.png", "regions": regions}}))
    return {"annotations": "via.json"}


def test_the_shapes_of_via(tmp_path: Path) -> None:
    shapes: list[tuple[dict[str, Any], np.ndarray]] = [
        ({"name": "rect", "x": 2, "y": 1, "width": 6, "height": 5}, block(1, 6, 2, 8)),
        ({"name": "circle", "cx": 20, "cy": 10, "r": 5}, disc(20, 10, 5, 5)),
        ({"name": "ellipse", "cx": 30, "cy": 18, "rx": 5, "ry": 2}, disc(30, 18, 5, 2)),
        (
            {"name": "ellipse", "cx": 4, "cy": 18, "rx": 5, "ry": 2, "theta": np.pi / 2},
            disc(4, 18, 2, 5),
        ),
    ]
    truth = truth_of(tmp_path, via(tmp_path, *(shape for shape, _ in shapes)))
    assert truth.instances is not None
    for number, (_, expected) in enumerate(shapes, start=1):
        assert np.array_equal(truth.instances[0] == number, expected)


def test_a_project_and_the_first_version_of_via(tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 2, "y": 1, "width": 6, "height": 5}
    masks = via(tmp_path, shape)
    images = json.loads((tmp_path / "via.json").read_text())
    write(tmp_path / "via.json", json.dumps({"_via_settings": {}, "_via_img_metadata": images}))
    assert truth_of(tmp_path, masks).planes.sum() == 30
    images["a"]["regions"] = {"0": images["a"]["regions"][0]}
    write(tmp_path / "via.json", json.dumps(images))
    assert truth_of(tmp_path, masks).planes.sum() == 30


@pytest.mark.parametrize(
    ("value", "name"),
    [("dog", "dog"), ({"dog": True, "cat": False}, "dog"), ({"dog": True, "cat": True}, None),
     ("", None), (None, None)],
)  # fmt: skip
def test_the_class_of_a_region_of_via(value: Any, name: str | None, tmp_path: Path) -> None:
    shape = {"name": "rect", "x": 2, "y": 1, "width": 6, "height": 5}
    masks = {**via(tmp_path, shape, attributes={"kind": value}), "class": "kind"}
    if name:
        truth = truth_of(tmp_path, masks, classes=["cat", "dog"])
        assert truth.planes.sum(axis=(1, 2)).tolist() == [0, 30]
    else:
        with pytest.raises(DataError, match="region 1: has no class in 'kind'; its attributes are"):
            truth_of(tmp_path, masks, classes=["cat", "dog"])
    with pytest.raises(DataError, match=r"region 1: its class is not known; set data\.masks\.clas"):
        truth_of(tmp_path, via(tmp_path, shape), classes=["cat", "dog"])


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"name": "point", "cx": 1, "cy": 1}, "is a point, which has no area"),
        ({"name": "rect", "x": 1, "y": 1, "width": 4}, "has no 'height'"),
        ({"name": "circle", "cx": 1, "cy": 1, "r": -3}, "its radius is -3"),
        ({"name": "circle", "cx": 1, "cy": None, "r": 3}, "cy is None, which is no number"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "as many x as y"),
    ],
)
def test_a_region_of_via_without_area_is_named(
    shape: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"via\.json, region 1: .*{says}"):
        truth_of(tmp_path, via(tmp_path, shape))


def geojson(root: Path, *geometries: Any, **keys: Any) -> dict[str, Any]:
    features = [{"type": "Feature", "properties": {}, "geometry": each} for each in geometries]
    content = {"type": "FeatureCollection", "features": features, **keys}
    write(root / "labels/a.geojson", json.dumps(content))
    return {"annotations": "labels/{id}.geojson"}


OUTER = [[2, 1], [12, 1], [12, 11], [2, 11], [2, 1]]
HOLE = [[4, 3], [8, 3], [8, 7], [4, 7], [4, 3]]
FAR = [[20, 1], [30, 1], [30, 5], [20, 5], [20, 1]]


def test_holes_and_parts_of_geojson(tmp_path: Path) -> None:
    both = {"type": "MultiPolygon", "coordinates": [[OUTER, HOLE], [FAR]]}
    truth = truth_of(tmp_path, geojson(tmp_path, both))
    expected = (block(1, 11, 2, 12) & ~block(3, 7, 4, 8)) | block(1, 5, 20, 30)
    assert np.array_equal(truth.planes[0], expected)
    assert truth.instances is not None and truth.instances.max() == 1


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "is a Point; only Polygon and MultiPolygon"),
        (None, "is a None; only"),
        ({"type": "Polygon", "coordinates": []}, "0 different|no rings"),
        ({"type": "MultiPolygon", "coordinates": [[OUTER], []]}, "no rings"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [2, 3], [1, 2]]]}, "2 different"),
    ],
)
def test_a_feature_without_area_is_named(geometry: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"a\.geojson, feature 1: .*({says})"):
        truth_of(tmp_path, geojson(tmp_path, geometry))


def test_a_property_of_a_property_names_the_class(tmp_path: Path) -> None:
    """QuPath: a list of features, without a collection around it."""
    feature = {
        "type": "Feature",
        "properties": {"classification": {"name": "dog"}},
        "geometry": {"type": "Polygon", "coordinates": [FAR]},
    }
    write(tmp_path / "labels/a.json", json.dumps([feature]))
    masks = {"annotations": "labels/{id}.json", "class": "classification.name"}
    truth = truth_of(tmp_path, masks, classes=["cat", "dog"])
    assert truth.planes.sum(axis=(1, 2)).tolist() == [0, 40]
    with pytest.raises(DataError, match="feature 1: has no class in 'x'; its properties are class"):
        truth_of(tmp_path, {**masks, "class": "x"}, classes=["cat", "dog"])


SCALE = (33550, "d", 3, (0.5, 0.25, 0.0))
TIE = (33922, "d", 6, (0.0, 0.0, 0.0, 7000.0, 3000.0, 0.0))
MATRIX = (34264, "d", 16, (0.0, 0.5, 0, 7000.0, -0.25, 0.0, 0, 3000.0, 0, 0, 0, 0, 0, 0, 0, 1.0))


def keys(*pairs: tuple[int, int]) -> tuple[int, str, int, tuple[int, ...]]:
    numbers = [1, 1, 0, len(pairs), *(each for key, value in pairs for each in (key, 0, 1, value))]
    return 34735, "H", len(numbers), tuple(numbers)


def geotiff(path: Path, *tags: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, smooth(*SIZE), photometric="rgb", extratags=[(*each, True) for each in tags]
    )
    return path


@pytest.mark.parametrize(
    ("tags", "world", "pixel"),
    [
        ([SCALE, TIE], (7002.0, 2999.0), (4, 4)),
        ([SCALE, TIE, keys((1025, 1))], (7002.0, 2999.0), (4, 4)),
        ([SCALE, TIE, keys((1025, 2))], (7002.0, 2999.0), (4.5, 4.5)),
        ([MATRIX], (7002.0, 2999.0), (4, 4)),
    ],
)
def test_the_place_in_the_world(tags: list[Any], world: Any, pixel: Any, tmp_path: Path) -> None:
    place = geotransform(geotiff(tmp_path / "a.tif", *tags))
    assert place is not None
    np.testing.assert_allclose(place.pixels_of(np.array([world])), [pixel])


def test_an_image_without_a_place_has_none(tmp_path: Path) -> None:
    assert geotransform(geotiff(tmp_path / "a.tif")) is None
    assert geotransform(save(tmp_path / "a.png", smooth(*SIZE))) is None
    points = (33922, "d", 12, (0.0,) * 12)
    with pytest.raises(DataError, match=r"b\.tif: it is placed by 2 ground points; warp it"):
        geotransform(geotiff(tmp_path / "b.tif", SCALE, points))


def in_world(ring: list[list[int]]) -> list[list[float]]:
    return [[7000 + 0.5 * x, 3000 - 0.25 * y] for x, y in ring]


def test_features_in_the_world_come_to_the_image(tmp_path: Path) -> None:
    geotiff(tmp_path / "images/a.tif", SCALE, TIE, keys((3072, 32616)))
    crs = {"crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::32616"}}}
    shape = {"type": "Polygon", "coordinates": [in_world(OUTER), in_world(HOLE)]}
    masks, images = geojson(tmp_path, shape, **crs), {"images": "images/{id}.tif"}
    expected = block(1, 11, 2, 12) & ~block(3, 7, 4, 8)
    assert np.array_equal(truth_of(tmp_path, masks, **images).planes[0], expected)
    other = {"crs": {"properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}}
    with pytest.raises(DataError, match=r"a\.geojson is in EPSG:4326, .*a\.tif in EPSG:32616; rep"):
        truth_of(tmp_path, geojson(tmp_path, shape, **other), **images)
    flat = geojson(tmp_path, {"type": "Polygon", "coordinates": [FAR]})
    with pytest.raises(DataError, match=r"set data\.masks\.coordinates: pixel \(or world\)"):
        truth_of(tmp_path, flat, **images)
    assert truth_of(tmp_path, {**flat, "coordinates": "pixel"}, **images).planes.sum() == 40
    assert truth_of(tmp_path, {**flat, "coordinates": "world"}, **images).notes
    geotiff(tmp_path / "images/a.tif")
    with pytest.raises(DataError, match=r"a\.tif has no geotransform"):
        truth_of(tmp_path, {**flat, "coordinates": "world"}, **images)


def test_real_buildings_lie_on_their_image() -> None:
    """43 polygons in UTM, drawn by the tags of the GeoTIFF and by an own way, corner by corner."""
    folder = shared_data("formats")
    masks = {"annotations": "{id}_labels.geojson"}
    data = config(folder, images="{id}.tif", masks=masks, classes=["building"])
    reader, size = mask_format(data), (900, 900)
    path = folder / "satellite_geotiff_labels.geojson"
    truth = reader.read("satellite_geotiff", [path], size)
    assert truth.instances is not None
    assert truth.instances.max() == 43 and len(np.unique(truth.instances)) > 35
    features = json.loads(path.read_text())["features"]
    ring = np.array(features[20]["geometry"]["coordinates"][0])
    ring = (ring - (733601, 3725139)) * (2, -2)
    (left, top), (right, bottom) = (
        np.floor(ring.min(0)).astype(int),
        np.ceil(ring.max(0)).astype(int),
    )
    expected = slow_polygon([ring - (left, top)], (bottom - top, right - left))
    drawn = truth.instances[0, max(0, top) : bottom, max(0, left) : right] == 21
    assert expected.sum() > 100
    assert np.array_equal(
        drawn, expected[max(0, -top) :, max(0, -left) :][: drawn.shape[0], : drawn.shape[1]]
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 0.5 0.5 0.2 0.2", "has 4 numbers, which are a box"),
        ("0 0.5 0.5 0.2 0.2 0.1", "odd count of coordinates, 5"),
        ("0 12 5 30 5 30 20", "has the coordinate 30; YOLO's are shares"),
        ("car 0.1 0.1 0.5 0.1 0.5 0.5", "its class is 'car', not a number"),
        ("-1 0.1 0.1 0.5 0.1 0.5 0.5", "its class is '-1', not a number"),
        ("0 0,1 0.1 0.5 0.1 0.5 0.5", "has the coordinate '0,1'"),
        ("0", "has 0 different"),
        ("7 0.1 0.1 0.5 0.1 0.5 0.5", r"class 'number 7 \(from 0\)' is not in data\.classes"),
    ],
)
def test_a_line_of_yolo_that_is_none(line: str, says: str, tmp_path: Path) -> None:
    write(tmp_path / "labels/a.txt", f"0 0.1 0.1 0.5 0.1 0.5 0.5\n\n{line}\n")
    with pytest.raises(DataError, match=rf"a\.txt, line 3: .*{says}"):
        truth_of(tmp_path, {"annotations": "labels/{id}.txt"})


def test_classes_of_yolo_that_are_called_by_numbers(tmp_path: Path) -> None:
    write(tmp_path / "labels/a.txt", "1 0.1 0.1 0.5 0.1 0.5 0.5\n")
    truth = truth_of(tmp_path, {"annotations": "labels/{id}.txt"}, classes=[1, 2, 3])
    assert truth.planes.any(axis=(1, 2)).tolist() == [False, True, False]
