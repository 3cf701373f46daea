"""The competitions that Maskmill is for can be said in its words, down to their row keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import build_experiment
from pipeline.metrics import get_metric
from pipeline.submission.rows import plan_rows

MODELS = {"a": {"decoder": "unet", "encoder": "resnet18"}}
PRESETS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    # name: the blocks, the metric, and how a sample file starts: header, then rows of test image t
    "carvana": (
        {
            "data": {
                "images": "train_hq/{id}.jpg", "masks": "train_masks/{id}_mask.gif",
                "group": "^([0-9a-f]+)_", "classes": ["car"],
            },
            "submission": {"key": "{id}.jpg", "order": "row"},
        },
        "dice", ["img,rle_mask", "t.jpg,1 1"],
    ),
    "tgs": (
        {
            "data": {
                "images": "train/images/{id}.png", "masks": "train/masks/{id}.png",
                "classes": ["salt"],
            },
            "submission": {"order": "column"},
        },
        "tgs", ["id,rle_mask", "t,1 1"],
    ),
    "airbus": (
        {
            "data": {
                "images": "train_v2/{id}.jpg", "classes": ["ship"], "drop": ["6384c3e78"],
                "masks": {"csv": "train_ship_segmentations_v2.csv", "key": "{id}.jpg",
                          "instances": True},
                "group": {"csv": "scenes.csv"},
            },
            "submission": {"key": "{id}.jpg", "rows": "instance"},
        },
        "airbus", ["ImageId,EncodedPixels", "t.jpg,1 2"],
    ),
    "dsb2018": (
        {
            "data": {
                "images": "stage1_train/{id}/images/{id}.png",
                "masks": "stage1_train/{id}/masks/*.png", "classes": ["nucleus"],
            },
            "submission": {"rows": "instance"},
        },
        "dsb", ["ImageId,EncodedPixels", "t,"],
    ),
    "pneumothorax, as PNG": (
        {
            "data": {
                "images": "png/{id}.png", "classes": ["pneumothorax"],
                "masks": {"csv": "train-rle.csv", "relative": True},
            },
            "submission": {"relative": True, "empty": "-1"},
        },
        "dice", ["ImageId,EncodedPixels", "t,-1"],
    ),
    "severstal": (
        {
            "data": {
                "images": "train_images/{id}.jpg", "classes": [1, 2, 3, 4],
                "masks": {"csv": "train.csv", "id": "ImageId_ClassId", "key": "{id}.jpg_{class}"},
            },
            "submission": {"rows": "class", "key": "{id}.jpg_{class}"},
        },
        "dice", ["ImageId_ClassId,EncodedPixels", *(f"t.jpg_{n},1 409600" for n in range(1, 5))],
    ),
    "clouds": (
        {
            "data": {
                "images": "train_images/{id}.jpg", "classes": ["Fish", "Flower", "Gravel", "Sugar"],
                "masks": {"csv": "train.csv", "id": "Image_Label", "key": "{id}.jpg_{class}"},
            },
            "submission": {"rows": "class", "key": "{id}.jpg_{class}", "size": [350, 525]},
        },
        "dice",
        ["Image_Label,EncodedPixels", "t.jpg_Fish,1 1", "t.jpg_Flower,1 1", "t.jpg_Gravel,1 1",
         "t.jpg_Sugar,1 1"],
    ),
    "hubmap": (
        {
            "data": {
                "images": "train/{id}.tiff", "classes": ["glomerulus"],
                "masks": {"csv": "train.csv", "id": "id", "rle": "encoding"},
                "group": {"csv": "patients.csv", "group": "patient_number"},
            },
            "infer": {"tile": {"size": [1024, 1024], "overlap": 0.5}},
        },
        "dice", ["id,predicted", "t,"],
    ),
    "contrails, as PNG": (
        {
            "data": {
                "images": "ash_colour/{id}.png", "masks": "masks/{id}.png", "classes": ["contrail"],
            },
            "submission": {"empty": "-"},
        },
        "global_dice", ["record_id,encoded_pixels", "t,-"],
    ),
    "ink, a layer as PNG": (
        {
            "data": {
                "images": "train/{id}/layer.png", "masks": "train/{id}/inklabels.png",
                "classes": ["ink"],
            },
            "submission": {"order": "row"},
        },
        "fbeta", ["Id,Predicted", "t,1 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_a_competition_can_be_said(name: str, tmp_path: Path) -> None:
    blocks, metric, sample = PRESETS[name]
    data = {"root": str(tmp_path), "test": "test/{id}.png", **blocks["data"]}
    (tmp_path / "sample.csv").write_text("\n".join(sample) + "\n")
    submission = {**blocks.get("submission", {}), "sample": "sample.csv"}
    named = {"name": metric, **({"beta": 0.5} if metric == "fbeta" else {})}
    experiment = build_experiment(
        {
            **blocks, "name": "x", "models": MODELS, "data": data, "submission": submission,
            "metric": named,
        },
        source=name,
        checks={"metric": lambda asked: get_metric(**asked)},
    )  # fmt: skip
    rows, header = plan_rows(experiment.submission, tmp_path, ["t"], experiment.data.class_names)
    assert header.line == sample[0]
    assert [row.key for row in rows] == [line.partition(",")[0] for line in sample[1:]]


def test_defects_beside_a_larger_reference_can_be_said() -> None:
    experiment = build_experiment(
        {
            "name": "screens", "models": MODELS,
            "data": {
                "root": "d", "images": "photo/{id}.png", "masks": "mask/{id}.png",
                "test": "test/{id}.png", "reference": "clean/{id}.png",
                "test_reference": "test_clean/{id}.png", "classes": ["defect"],
            },
        },
        source="screens",
    )  # fmt: skip
    assert experiment.data.reference == "clean/{id}.png"
