"""The turntable demo: layout, ids, masks and determinism."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.rle import decode
from pipeline.demo import private_masks
from pipeline.demo.turntable.competition import TurntableSize, draw_turntable, photographs
from pipeline.errors import DataError
from tests.helpers.demo_folders import digests, rows, stems

TINY = {"seed": 5, "train_cars": 3, "test_cars": 2, "views": 3, "size": (48, 72)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("turntable") / "demo"
    draw_turntable(folder, **TINY)
    return folder


def _mask(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.asarray(image)


def test_the_layout_is_carvanas(demo: Path) -> None:
    assert len(stems(demo / "train")) == 9
    assert all(re.fullmatch(r"[0-9a-f]{12}_0[123]", name) for name in stems(demo / "train"))
    assert stems(demo / "train_masks") == {f"{name}_mask" for name in stems(demo / "train")}
    assert {path.suffix for path in (demo / "train").iterdir()} == {".jpg"}
    assert {path.suffix for path in (demo / "train_masks").iterdir()} == {".gif"}


def test_views_of_a_car_share_its_id_and_no_car_is_on_both_sides(demo: Path) -> None:
    train = {name.partition("_")[0] for name in stems(demo / "train")}
    test = {name.partition("_")[0] for name in stems(demo / "test")}
    assert (len(train), len(test)) == (3, 2)
    assert not train & test


def test_images_and_masks_have_the_asked_size(demo: Path) -> None:
    for path in (demo / "train").iterdir():
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("RGB", (72, 48))
        assert _mask(demo / "train_masks" / f"{path.stem}_mask.gif").shape == (48, 72)


def test_masks_are_one_car_in_zeros_and_ones(demo: Path) -> None:
    for path in (demo / "train_masks").iterdir():
        mask = _mask(path)
        assert set(np.unique(mask)) == {0, 1}
        assert 0.04 < mask.mean() < 0.5
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.97 * mask.sum()


def test_the_table_says_what_the_masks_say(demo: Path) -> None:
    table = rows(demo / "train_masks.csv")
    assert {row["img"] for row in table} == {path.name for path in (demo / "train").iterdir()}
    for row in table:
        mask = _mask(demo / "train_masks" / row["img"].replace(".jpg", "_mask.gif"))
        np.testing.assert_array_equal(decode(row["rle_mask"], (48, 72), "row"), mask == 1)


def test_the_sample_names_every_test_image_once_in_no_order(demo: Path) -> None:
    names = [row["img"] for row in rows(demo / "sample_submission.csv")]
    assert sorted(names) == sorted(path.name for path in (demo / "test").iterdir())
    cars = [name.partition("_")[0] for name in names]
    assert sum(a != b for a, b in pairwise(cars)) > 1  # views are not together


def test_private_masks_are_those_of_the_test_images(demo: Path) -> None:
    found = private_masks(demo)
    assert set(found) == stems(demo / "test")
    assert all(_mask(path).any() for path in found.values())


def test_a_folder_without_private_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="private"):
        private_masks(tmp_path)


def test_the_same_seed_draws_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    draw_turntable(tmp_path / "again", **TINY)
    assert digests(tmp_path / "again") == digests(demo)


def test_other_seeds_draw_other_cars(demo: Path, tmp_path: Path) -> None:
    draw_turntable(tmp_path / "other", **(TINY | {"seed": 6}))
    assert not stems(tmp_path / "other" / "train") & stems(demo / "train")


def test_more_cars_change_no_other_car(demo: Path, tmp_path: Path) -> None:
    draw_turntable(tmp_path / "fewer", **(TINY | {"train_cars": 1, "views": 3}))
    fewer, all_of_them = digests(tmp_path / "fewer"), digests(demo)
    drawn = [name for name in fewer if name.startswith(("train/", "test/", "private/"))]
    assert len(drawn) == 3 + 6 + 6
    assert all(fewer[name] == all_of_them[name] for name in drawn)


@pytest.mark.parametrize("car", range(4))
def test_every_view_has_its_own_outline_and_picture(car: int) -> None:
    views = list(photographs(TurntableSize(8, 4, 0, 4, (48, 72)), 0, car))
    for i, first in enumerate(views):
        for second in views[:i]:
            assert (first.mask != second.mask).any()
            assert (first.image != second.image).any()


def test_the_outline_does_not_depend_on_the_resolution() -> None:
    small = list(photographs(TurntableSize(8, 1, 0, 2, (48, 72)), 0, 0))
    large = list(photographs(TurntableSize(8, 1, 0, 2, (192, 288)), 0, 0))
    for one, other in zip(small, large, strict=True):
        shrunk = cv2.resize(other.mask.astype(np.float32), (72, 48), interpolation=cv2.INTER_AREA)
        assert ((shrunk >= 0.5) != one.mask).mean() < 0.01
