"""The pictures themselves tell which way their run lengths go, and noise tells nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.checks.edge_fit import Reading, best_reading, compare_readings
from pipeline.data import rle
from pipeline.data.catalog import list_samples
from tests.helpers.data_folders import config, save, write
from tests.helpers.shared_data import shared_data


def draw(root: Path, contrast: int, exif: int = 1, size: tuple[int, int] = (96, 96)) -> None:
    """Ellipses on striped noise, their runs by column in the stored picture."""
    random, lines = np.random.default_rng(1), ["ImageId,EncodedPixels"]
    for number in range(16):
        mask = np.zeros(size, np.uint8)
        centre = [int(random.uniform(0.3, 0.7) * side) for side in size[::-1]]
        cv2.ellipse(mask, centre, (26, 9), float(random.uniform(0, 40)), 0, 360, 1, -1)
        image = random.integers(0, 60, (*size, 3)) + 40 * (np.arange(size[1]) // 6 % 2)[:, None]
        image[mask > 0] += contrast
        tags = Image.Exif()
        tags[0x0112] = exif
        save(root / f"images/{number}.png", image.astype(np.uint8), exif=tags)
        lines.append(f"{number},{rle.encode(mask, 'column')}")
    write(root / "t.csv", "\n".join(lines) + "\n")


def best(root: Path, order: str, turned: bool = False) -> str | None:
    data = config(root, masks={"csv": "t.csv", "order": order})
    found = best_reading(compare_readings(data, list_samples(data).train, turned))
    return found.name if isinstance(found, Reading) else None


def test_square_pictures_tell_the_order_of_their_runs(tmp_path: Path) -> None:
    draw(tmp_path, contrast=90)
    assert best(tmp_path, "column") == ""
    assert best(tmp_path, "row") == "data.masks.order: column"


def test_noise_tells_nothing(tmp_path: Path) -> None:
    draw(tmp_path, contrast=0)
    assert best(tmp_path, "column") is None
    assert best(tmp_path, "row") is None


@pytest.mark.parametrize("exif", [3, 6, 8])
def test_stored_pixels_are_found_behind_exif(exif: int, tmp_path: Path) -> None:
    draw(tmp_path, contrast=90, exif=exif, size=(72, 96))
    assert best(tmp_path, "column", turned=True) == "data.exif: ignore"
    assert best(tmp_path, "row", turned=True) == "data.masks.order: column and data.exif: ignore"


@pytest.mark.slow
@pytest.mark.parametrize("order", ["column", "row"])
def test_real_nuclei_tell_that_their_runs_go_by_column(order: str) -> None:
    root = shared_data("dsb2018")
    data = config(
        root,
        images="stage1_train/{id}/images/{id}.png",
        masks={"csv": "stage1_train_labels.csv", "order": order, "instances": True},
    )
    found = best_reading(compare_readings(data, list_samples(data).train, False))
    assert found is not None
    assert found.name == ("" if order == "column" else "data.masks.order: column")
