"""What `check` tells of a table of run lengths before anything is trained on it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.data import rle
from pipeline.errors import DataError
from pipeline.stages import check
from tests.helpers.competitions import context, draw_discs


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """The warnings of `check` about discs whose masks are in a table, by row or by column."""
    draw_discs(tmp_path)

    def warnings(written: rle.Order, **masks: Any) -> list[str]:
        rows = []
        for path in sorted((tmp_path / "masks").iterdir()):
            mask = np.asarray(Image.open(path)) > 0
            rows.append((path.stem, rle.encode(mask, written)))
        with (tmp_path / "train.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("ImageId", "EncodedPixels"), *rows])
        stage = context(
            tmp_path, tmp_path / "work", asked="check",
            data={"masks": {"csv": "train.csv", **masks}},
            submission={"order": masks.get("order", "column")},
        )  # fmt: skip
        check.run(stage)
        return [text for text in stage.reporter.warned if "data.masks" in text]

    return warnings


def test_images_in_folders_that_no_pattern_reaches_are_told(tmp_path: Path) -> None:
    draw_discs(tmp_path)
    for name in ("images/deep/x.png", "images/deep/er/y.PNG", "images/.thumbs/z/w.png", "x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    stage = context(tmp_path, tmp_path / "work", asked="check")
    check.run(stage)
    (told,) = [text for text in stage.reporter.warned if "no pattern reaches" in text]
    assert told == (
        "data.images: 2 file(s) in folders that no pattern reaches: "
        "images/deep/er/y.PNG, images/deep/x.png"
    )
    (tmp_path / "masks").rename(tmp_path / "images/deep/masks")
    stage = context(
        tmp_path, tmp_path / "work", asked="check", data={"masks": "images/deep/masks/{id}.png"}
    )
    check.run(stage)
    assert [text for text in stage.reporter.warned if "no pattern reaches" in text] == [told]
    nested = {"images": "images/deep/{id}.jpg", "masks": "images/deep/{id}/m*.png"}
    with pytest.raises(DataError, match=r"no file matches .*\.jpg; there is images/deep/x.png$"):
        check.run(context(tmp_path, tmp_path / "work", data=nested))
    with pytest.raises(
        DataError, match=r"there is images/deep/er/y.PNG, images/deep/masks/i0_0.png and 24 more"
    ):
        check.run(context(tmp_path, tmp_path / "work", data={"images": "images/*/*/*/{id}.png"}))


@pytest.mark.parametrize(("written", "read"), [("row", "column"), ("column", "row")])
def test_rows_taken_for_columns_are_noticed(told: Any, written: rle.Order, read: str) -> None:
    assert told(written, order=written) == []
    (warning,) = told(written, order=read)
    assert warning.startswith(f"data.masks.order: {read}: 12 masks fall into ")
    assert warning.endswith(f"is it data.masks.order: {written}?")


def test_runs_in_pictures_that_exif_turns_need_a_word(told: Any, tmp_path: Path) -> None:
    told("column")
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (tmp_path / "images").iterdir():
        Image.open(path).save(path, exif=exif)
    keys = {"masks": {"csv": "train.csv"}}
    with pytest.raises(
        DataError, match=r"turned by EXIF.*the masks fit the images with data\.exif: ignore"
    ):
        check.run(context(tmp_path, tmp_path / "work", data=keys))
    stage = context(tmp_path, tmp_path / "work", asked="check", data={**keys, "exif": "ignore"})
    survey = check.run(stage)
    assert set(survey.sizes.values()) == {(48, 64)}
    assert not [text for text in stage.reporter.warned if "clearly better" in text]
    stage = context(tmp_path, tmp_path / "work", asked="check", data={**keys, "exif": "apply"})
    check.run(stage)
    (warning,) = [text for text in stage.reporter.warned if "data.exif:" in text]
    assert warning.endswith("is it data.exif: ignore?")


def test_palettes_that_disagree_are_an_error(tmp_path: Path) -> None:
    draw_discs(tmp_path)
    for number, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        mask = Image.fromarray(np.asarray(Image.open(path)), "P")
        mask.putpalette(
            [0, 0, 0, 255, 0, 0, 0, 255, 0] if number else [0, 0, 0, 0, 255, 0, 9, 9, 1]
        )
        mask.save(path)
    with pytest.raises(DataError, match=r"palettes differ: index 1 is #00ff00 in the mask of i0_0"):
        check.run(context(tmp_path, tmp_path / "work"))
