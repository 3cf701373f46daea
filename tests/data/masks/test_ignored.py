"""Pixels that `data.ignore` takes out, beside masks of any format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.image_sources.registry import image_source
from pipeline.data.inspection import inspect
from pipeline.data.masks.registry import mask_format
from pipeline.data.stamps import stamp_of
from pipeline.errors import DataError
from pipeline.reporting import SilentReporter
from pipeline.stages import check
from tests.helpers.competitions import context, draw_discs
from tests.helpers.data_folders import CLASSES, config, save, smooth

SIZE = (7, 9)
BLOCK = np.zeros(SIZE, np.uint8)
BLOCK[2:5, 3:8] = 1
IGNORED = np.zeros(SIZE, np.uint8)
IGNORED[:, :5] = 255


def truth_of(root: Path, **keys: Any) -> Truth:
    save(root / "images/a.png", smooth(*SIZE))
    data = config(root, **{"ignore": "ignore/{id}.png", **keys})
    (sample,) = list_samples(data).train
    return mask_format(data).read(sample.id, sample.masks, SIZE)


@pytest.mark.parametrize("pattern", ["ignore/{id}.png", "ignore/{id}.*", "ignore/*{id}.png"])
def test_what_is_ignored_is_of_no_class_and_not_valid(pattern: str, tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", BLOCK)
    save(tmp_path / "ignore/a.png", IGNORED)
    truth = truth_of(tmp_path, ignore=pattern)
    assert truth.valid is not None and np.array_equal(truth.valid, IGNORED == 0)
    assert np.array_equal(truth.planes[0], BLOCK * (IGNORED == 0))
    assert truth.planes.dtype == np.uint8 and truth.valid.dtype == np.bool_


def test_it_is_beside_void_and_objects(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", np.where(BLOCK, 255, 1).astype(np.uint8))
    save(tmp_path / "ignore/a.png", IGNORED)
    both = truth_of(tmp_path, classes=CLASSES, void=255)
    assert both.valid is not None
    assert np.array_equal(both.valid, (IGNORED == 0) & (BLOCK == 0))
    save(tmp_path / "objects/a/1.png", BLOCK)
    objects = truth_of(tmp_path, masks="objects/{id}/*.png")
    assert objects.instances is not None and objects.instances.dtype == np.int32
    assert np.array_equal(objects.instances[0], BLOCK * (IGNORED == 0))


def test_an_image_without_a_file_counts_wholly(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", BLOCK)
    assert truth_of(tmp_path).valid is None


def test_a_file_of_another_size_is_named(tmp_path: Path) -> None:
    save(tmp_path / "masks/a.png", BLOCK)
    save(tmp_path / "ignore/a.png", IGNORED[:-1])
    with pytest.raises(DataError, match=r"ignore/a\.png is 9×6, its image 9×7"):
        truth_of(tmp_path)


def test_a_change_of_a_file_is_seen(tmp_path: Path) -> None:
    for folder, pixels in (("images", smooth(*SIZE)), ("masks", BLOCK), ("ignore", IGNORED)):
        save(tmp_path / folder / "a.png", pixels)
    data = config(tmp_path, ignore="ignore/{id}.png")
    catalog = list_samples(data)

    def looked() -> tuple[str, str]:
        stamp = stamp_of(catalog.train[0], "train", data, image_source(data))
        return stamp, inspect(catalog, data, {}, lambda _: None)[0].digest

    first = looked()
    save(tmp_path / "ignore/a.png", IGNORED[::-1, ::-1])
    second = looked()
    (tmp_path / "ignore/a.png").unlink()
    assert len({*first, *second, *looked()}) == 6


def test_check_says_what_has_no_file_and_what_no_image(tmp_path: Path) -> None:
    draw_discs(tmp_path, count=4, test=0)
    data = {"data": {"ignore": "ignore/{id}.png", "test": None}}
    (tmp_path / "ignore").mkdir()
    with pytest.raises(DataError, match=r"data\.ignore: no file matches .*; fix the pattern, or"):
        check.run(context(tmp_path, tmp_path / "w", **data))
    size = np.zeros((48, 64), np.uint8)
    for name in ("i0_0", "i0_1", "x"):
        save(tmp_path / f"ignore/{name}.png", size)
    stage = context(tmp_path, tmp_path / "w", asked="check", **data)
    check.run(stage)
    assert isinstance(stage.reporter, SilentReporter)
    warned = "\n".join(stage.reporter.warned)
    assert "data.ignore: files without training image: x" in warned
    assert "2 image(s) have no file, so all their pixels count: i1_2, i1_3" in warned
