"""The screens demo: layout, masks, true warps and determinism."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.demo import DEMOS, private_masks
from pipeline.demo.screens.competition import SCREENS, ScreensSize, draw_screens, shots
from pipeline.demo.screens.photo import draw_warp
from pipeline.errors import ConfigError
from tests.helpers.demo_folders import digests, rows, stems

TINY = {
    "seed": 4, "train_screens": 3, "test_screens": 2, "shots": 3,
    "photo": (72, 80), "reference": (96, 104),
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screens") / "demo"
    draw_screens(folder, **TINY)
    return folder


def _read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_every_photograph_has_its_reference_and_its_mask(demo: Path) -> None:
    train, test = stems(demo / "train"), stems(demo / "test")
    assert (len(train), len(test)) == (9, 6)
    assert not train & test
    assert stems(demo / "train_refs") == stems(demo / "train_masks") == train
    assert stems(demo / "test_refs") == set(private_masks(demo)) == test


def test_sizes_and_values(demo: Path) -> None:
    for name in stems(demo / "train"):
        assert _read(demo / "train" / f"{name}.png").shape == (72, 80, 3)
        assert _read(demo / "train_refs" / f"{name}.png").shape == (96, 104, 3)
        mask = _read(demo / "train_masks" / f"{name}.png")
        assert mask.shape == (72, 80)
        assert set(np.unique(mask)) <= {0, 255}


def test_the_shots_of_a_screen_are_one_group_and_show_one_reference(demo: Path) -> None:
    table = rows(demo / "groups.csv")
    assert {row["id"] for row in table} == stems(demo / "train")
    by_group: dict[str, set[bytes]] = {}
    for row in table:
        reference = (demo / "train_refs" / f"{row['id']}.png").read_bytes()
        by_group.setdefault(row["group"], set()).add(reference)
    assert [len(found) for found in by_group.values()] == [1, 1, 1]


def test_the_sample_names_every_test_photograph_once(demo: Path) -> None:
    names = [row["id"] for row in rows(demo / "sample_submission.csv")]
    assert sorted(names) == sorted(stems(demo / "test"))


def test_true_warps_bring_the_reference_onto_the_photograph(demo: Path) -> None:
    table = rows(demo / "true_warps.csv")
    assert {(row["part"], row["id"]) for row in table} == {
        (part, name) for part in ("train", "test") for name in stems(demo / part)
    }
    for row in table:
        warp = np.array([float(row[f"w{i}{j}"]) for i in range(3) for j in range(3)]).reshape(3, 3)
        masks = demo / ("train_masks" if row["part"] == "train" else "private")
        clean = _read(masks / f"{row['id']}.png") == 0
        photo = _read(demo / row["part"] / f"{row['id']}.png")
        reference = _read(demo / f"{row['part']}_refs" / f"{row['id']}.png")
        true = _likeness(photo, reference, warp, clean)
        off = _likeness(
            photo, reference, np.array([[1, 0, 3], [0, 1, 0], [0, 0, 1.0]]) @ warp, clean
        )
        assert true > 0.75
        assert true > off + 0.05


def _likeness(
    photo: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    warp: NDArray[np.float64],
    clean: NDArray[np.bool_],
) -> float:
    """Correlation of the fine structure of both, away from dirt."""
    size = (photo.shape[1], photo.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    brought = cv2.warpPerspective(reference, warp, size, flags=flags)
    fine = [
        image - cv2.GaussianBlur(image, (0, 0), 8)
        for image in (cv2.GaussianBlur(i.mean(axis=2), (0, 0), 0.7) for i in (photo, brought))
    ]
    away = cv2.erode(clean.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(np.corrcoef(fine[0][away], fine[1][away])[0, 1])


@pytest.mark.parametrize(
    "sizes", [((192, 192), (248, 248)), ((72, 80), (96, 104)), ((40, 90), (50, 100))]
)
def test_photographs_lie_inside_their_reference(sizes) -> None:
    (height, width), reference = sizes
    corners = np.array([[[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]], float)
    slanted = 0
    for seed in range(200):
        warp = draw_warp((height, width), reference, np.random.default_rng(seed))
        places = cv2.perspectiveTransform(corners, warp)[0]
        assert (places >= 0).all()
        assert (places <= np.array(reference[::-1]) - 1).all()
        assert warp[2, 2] == 1
        slanted += bool(np.abs(warp[2, :2]).max() > 0)
    assert 40 < slanted < 100


def test_dirt_is_small_and_most_photographs_have_some() -> None:
    plan = ScreensSize(1, 0, 0, 4, (96, 96), (124, 124))
    areas = np.array([shot.mask.sum() for number in range(10) for shot in shots(plan, 0, number)])
    assert 0.7 < (areas > 0).mean() < 1.0
    assert areas[areas > 0].min() >= 1
    assert areas.max() < 600


def test_dirt_changes_the_photograph_where_the_mask_says() -> None:
    plan = ScreensSize(2, 0, 0, 2, (96, 96), (124, 124))
    inside, outside = [], []
    for number in range(10):
        for shot in shots(plan, 0, number):
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            clean = cv2.warpPerspective(shot.reference, shot.warp, (96, 96), flags=flags)
            change = np.abs(shot.image.mean(axis=2) - clean.mean(axis=2) * _gain(shot.image, clean))
            inside.append(change[shot.mask].mean() if shot.mask.any() else np.nan)
            outside.append(change[~shot.mask].mean())
    assert np.nanmean(inside) > 2 * np.mean(outside)


def _gain(photo: NDArray[np.uint8], clean: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The slow part of how much brighter the photograph is."""
    wide = [cv2.GaussianBlur(image.mean(axis=2), (0, 0), 12) for image in (photo, clean)]
    return np.asarray(wide[0] / np.maximum(wide[1], 1.0))


def test_the_same_seed_draws_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    draw_screens(tmp_path / "again", **TINY)
    assert digests(tmp_path / "again") == digests(demo)


def test_more_screens_change_no_other_screen(demo: Path, tmp_path: Path) -> None:
    draw_screens(tmp_path / "fewer", **(TINY | {"train_screens": 1}))
    fewer, all_of_them = digests(tmp_path / "fewer"), digests(demo)
    drawn = [name for name in fewer if name.endswith(".png")]
    assert len(drawn) == 3 * 3 + 6 * 3
    assert all(fewer[name] == all_of_them[name] for name in drawn)


def test_a_reference_without_a_margin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than photo"):
        draw_screens(tmp_path / "demo", **(TINY | {"reference": (72, 104)}))
    assert not (tmp_path / "demo").exists()


def test_both_demos_are_in_the_list_and_ids_are_plain_words() -> None:
    assert set(DEMOS) == {"turntable", "screens"}
    for shot in shots(SCREENS, 0, 0):
        assert re.fullmatch(r"[0-9a-f]{8}", shot.id)
        assert shot.image.shape[:2] == SCREENS.photo
