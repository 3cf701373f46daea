"""Training images of which some have no mask: an error, left out, or empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.checks.mask_findings import mask_problems
from pipeline.data.catalog import NoImagesError, list_samples
from pipeline.data.masks.registry import mask_format
from pipeline.errors import ConfigError, DataError
from tests.helpers.data_folders import experiment, save, write

SIZE = (4, 6)
MASKS = {
    "values": "masks/{id}.png",
    "objects": "masks/{id}/*.png",
    "classes": "masks/{class}/{id}.png",
    "label map": {"label_map": "masks/{id}.png"},
}


def some_masked(root: Path, masks: Any, **keys: Any) -> Any:
    """Four images, of which `a` and `c` have a mask."""
    pattern = masks if isinstance(masks, str) else masks["label_map"]
    for each in "abcd":
        save(root / f"images/{each}.png", np.zeros((*SIZE, 3), np.uint8))
    for each in "ac":
        name = pattern.replace("{id}", each).replace("*", "1").replace("{class}", "car")
        save(root / name, np.eye(*SIZE, dtype=np.uint8))
    return experiment(root, masks=masks, **keys)


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_images_without_mask_are_left_out_and_told(masks: Any, tmp_path: Path) -> None:
    chosen = some_masked(tmp_path, masks, without_mask="drop")
    catalog = list_samples(chosen.data)
    assert [each.id for each in catalog.train] == ["a", "c"]
    said = {each.subject: each.text for each in mask_problems(catalog, [], chosen)}
    assert said["data.without_mask"] == "2 image(s) have no mask, and are left out: b, d"


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_nothing_is_on_images_without_mask(masks: Any, tmp_path: Path) -> None:
    chosen = some_masked(tmp_path, masks, without_mask="empty")
    catalog = list_samples(chosen.data)
    read = mask_format(chosen.data).read
    truths = {each.id: read(each.id, each.masks, SIZE) for each in catalog.train}
    assert {each: int(truth.planes.sum()) for each, truth in truths.items()} == {
        "a": 4, "b": 0, "c": 4, "d": 0,
    }  # fmt: skip
    kinds = {(truth.instances is None, truth.planes.shape) for truth in truths.values()}
    assert len(kinds) == 1, "with objects or without, all alike"
    said = {each.subject: each.text for each in mask_problems(catalog, [], chosen)}
    assert said["data.without_mask"] == "2 image(s) have no mask, so nothing is on them: b, d"


def test_rows_and_lists_tell_which_images_have_masks(tmp_path: Path) -> None:
    for each in "abc":
        save(tmp_path / f"images/{each}.png", np.zeros((*SIZE, 3), np.uint8))
    write(tmp_path / "t.csv", "ImageId,EncodedPixels\nc,\n a,1 2\n")
    square = [[[0, 0], [4, 0], [4, 4], [0, 4]]]
    lines = [{"id": each, "annotations": [{"type": "car", "coordinates": square}]} for each in "ac"]
    write(tmp_path / "p.jsonl", "\n".join(map(json.dumps, lines)))
    for masks in ({"csv": "t.csv"}, {"annotations": "p.jsonl"}):
        catalog = list_samples(experiment(tmp_path, masks=masks, without_mask="drop").data)
        assert ([each.id for each in catalog.train], catalog.without_mask) == (["a", "c"], ("b",))


def test_by_default_an_image_needs_a_mask(tmp_path: Path) -> None:
    chosen = some_masked(tmp_path, "masks/{id}.png")
    catalog = list_samples(chosen.data)
    assert len(catalog.train) == 4 and not catalog.without_mask
    assert not [each for each in mask_problems(catalog, [], chosen) if "without" in each.subject]
    with pytest.raises(DataError, match=r"b: no mask matches"):
        mask_format(chosen.data).read("b", (), SIZE)


def test_where_no_image_has_a_mask_the_pattern_is_wrong(tmp_path: Path) -> None:
    chosen = some_masked(tmp_path, "mask/{id}_m.png", without_mask="drop")
    for each in (tmp_path / "mask").iterdir():
        each.unlink()
    with pytest.raises(NoImagesError, match=r"drop leaves no image; none is in mask/\{id\}_m"):
        list_samples(chosen.data)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"masks": {"csv": "t.csv"}, "without_mask": "empty"}, "a table says itself"),
        (
            {"masks": {"csv": "t.csv"}, "without_mask": "drop", "bands": ["x"], "volume": {}},
            "are about slices",
        ),
        (
            {"masks": {"annotations": "a.json"}, "without_mask": "empty"},
            "have masks.missing: empty",
        ),
        (
            {"classes": ["a", "b"], "multiclass": True, "without_mask": "empty"},
            "leaves pixels without a class",
        ),
    ],
)
def test_where_there_are_no_files_it_means_nothing(
    keys: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        experiment(tmp_path, **keys)
