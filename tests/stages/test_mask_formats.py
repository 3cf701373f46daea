"""Every format of masks, the whole way from check to a submission, on a few drawn triangles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from pipeline.stages import check, submit
from pipeline.stages.context import StageContext
from tests.helpers.annotations import WRITERS, Images, Shape
from tests.helpers.competitions import ONE_MODEL, context
from tests.helpers.data_folders import save
from tests.helpers.polygons import slow_polygon

SIZE = (32, 40)
IDS = ["a", "b", "c", "d"]
SUBMISSION = {"submission": {"rows": "class", "key": "{id}_{class}"}}
Draw = Callable[[Path, Images], dict[str, Any]]
"""Folder and shapes -> blocks of the experiment; the files of masks are written."""


def annotated(kind: str, **blocks: Any) -> Draw:
    def draw(root: Path, images: Images) -> dict[str, Any]:
        masks = WRITERS[kind](root, images, SIZE, ["cat", "dog"])
        return {"data": {"masks": masks, "classes": ["cat", "dog"]}, **SUBMISSION, **blocks}

    return draw


def colours(root: Path, images: Images) -> dict[str, Any]:
    for name, shapes in images.items():
        painted = np.zeros((*SIZE, 3), np.uint8)
        for each, colour in zip(shapes, [(64, 128, 192), (128, 64, 128)], strict=True):
            painted[slow_polygon([np.array(each.points)], SIZE)] = colour
        save(root / f"masks/{name}.png", painted)
    classes = {"cat": "#4080c0", "dog": [128, 64, 128], "ground": "#000000"}
    return {"data": {"classes": classes, "multiclass": True}, **SUBMISSION}


def numbered(root: Path, images: Images) -> dict[str, Any]:
    for name, shapes in images.items():
        labels = np.zeros(SIZE, np.uint32)
        for number, each in enumerate(shapes, start=70_000):
            labels[slow_polygon([np.array(each.points)], SIZE)] = number
        (root / "labels").mkdir(exist_ok=True)
        tifffile.imwrite(root / f"labels/{name}.tif", labels)
    masks = {"label_map": "labels/{id}.tif"}
    return {"data": {"masks": masks, "classes": ["thing"]}, "metric": "dsb"}


def partly_ignored(root: Path, images: Images) -> dict[str, Any]:
    """Polygons, and beside two of the images what is to be ignored: a corner without any."""
    corner = np.zeros(SIZE, np.uint8)
    corner[-4:, -4:] = 255
    for name in list(images)[:2]:
        save(root / f"ignore/{name}.png", corner)
    blocks = annotated("coco", metric="mean_iou")(root, images)
    return {**blocks, "data": {**blocks["data"], "ignore": "ignore/{id}.png"}}


def soft(root: Path, images: Images) -> dict[str, Any]:
    """Two annotators, of whom one sees both triangles, and the other half as surely."""
    for name, shapes in images.items():
        planes = [slow_polygon([np.array(each.points)], SIZE) for each in shapes]
        both = np.any(planes, axis=0)
        save(root / f"masks/{name}/one.png", both.astype(np.uint8) * np.uint8(255))
        save(root / f"masks/{name}/two.png", both.astype(np.uint8) * np.uint8(128))
    return {"data": {"masks": "masks/{id}/*.png", "classes": ["thing"], "soft": True}}


FORMATS: dict[str, Draw] = {
    **{kind: annotated(kind) for kind in WRITERS},
    "coco": annotated("coco", metric="dsb"),
    "colours": colours,
    "label-map": numbered,
    "ignore": partly_ignored,
    "soft": soft,
}
CHECKED = {"coco", "colours", "label-map", "ignore", "soft"}
"""Formats that `check` reads by default; the others' truths are compared in tests/data/masks."""
THOROUGH = {"ignore", "soft"}
"""Formats whose truth has something that others have not; the rest is the same from check on."""


def but_slow_beyond(kinds: set[str]) -> list[Any]:
    """All formats, those that are not of these as slow tests."""
    return [
        kind if kind in kinds else pytest.param(kind, marks=pytest.mark.slow) for kind in FORMATS
    ]


def drawn(root: Path) -> Images:
    """Images of two triangles each, a class each, and two test images."""
    random, shapes = np.random.default_rng(0), {}
    for name in [*IDS, "y", "z"]:
        image = random.integers(0, 80, (*SIZE, 3))
        two = []
        for place, kind in enumerate(["cat", "dog"]):
            corners = np.array([[1, 1], [7, 3], [5, 18]]) + random.uniform(0, 9, (3, 2))
            points = corners + np.array([20 * place, 0])
            two.append(Shape(kind, [(float(x), float(y)) for x, y in points]))
            image[slow_polygon([points], SIZE)] += (60 + 90 * place, 150 - 90 * place, 20)
        folder = "images" if name in IDS else "test"
        save(root / folder / f"{name}.png", image.astype(np.uint8))
        if name in IDS:
            shapes[name] = two
    return shapes


def started(root: Path, workspace: Path, blocks: dict[str, Any]) -> StageContext:
    data = {"group": None, **blocks.pop("data")}
    few = {"train": {"size": list(SIZE), "epochs": 1, "ema": None, "batch": 2}}
    ensemble = {"ensemble": {"threshold": 0.5}, "infer": {"tta": ["identity"]}}
    return context(
        root, workspace, data=data, models=ONE_MODEL["models"], **few, **ensemble, **blocks
    )


@pytest.mark.parametrize("kind", but_slow_beyond(CHECKED))
def test_check_finds_what_was_drawn(kind: str, tmp_path: Path) -> None:
    shapes = drawn(tmp_path)
    survey = check.run(started(tmp_path, tmp_path / "w", FORMATS[kind](tmp_path, shapes)))
    for record in survey.of("train"):
        assert record.problem == "" and record.note == ""
        planes = [slow_polygon([np.array(each.points)], SIZE) for each in shapes[record.id]]
        wanted = [plane.mean() for plane in planes]
        if len(record.shares) == 1:
            wanted = [np.any(planes, axis=0).mean()]
        if kind == "ignore" and record.id in "ab":
            wanted = [share * planes[0].size / (planes[0].size - 16) for share in wanted]
        assert record.shares[:2] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("kind", but_slow_beyond(THOROUGH))
def test_every_format_comes_to_a_submission(kind: str, tmp_path: Path) -> None:
    blocks = FORMATS[kind](tmp_path, drawn(tmp_path))
    submit.run(started(tmp_path, tmp_path / "w", dict(blocks)))
    (path,) = (tmp_path / "w/submissions/discs").glob("*.csv")
    losses = pd.concat(map(pd.read_csv, (tmp_path / "w/runs").glob("*/*/fold*/history.csv")))[
        "loss"
    ]
    assert len(losses) == 2 and losses.between(0.1, 3).all(), "as of probabilities"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(rows) == 2 * len(blocks["data"]["classes"])
