"""What lies beside the files of a pattern is named, and what cannot be opened is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.checks.unmatched_files import find_leftovers, find_unusable
from pipeline.data.catalog import list_samples
from tests.helpers.data_folders import config, write


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        write(root / path, b"x")


def told(root: Path, **keys: str) -> list[str]:
    data = config(root, **keys)
    return [f"{each.subject}: {each.text}" for each in find_leftovers(list_samples(data), data)]


@pytest.mark.parametrize(
    "ending", [".PNG", ".jpeg", ".tiff", ".png.bak", ".png.gz", ".PNG.zip", ""]
)
def test_a_pair_lost_on_both_sides_is_named(ending: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", f"images/b{ending}", f"masks/b{ending}")
    images, masks = told(tmp_path)
    assert images.startswith("data.images: 1 file(s) in its folders are not read, ")
    assert f"images/b{ending}" in images and f"masks/b{ending}" in masks
    assert "1 id(s) have no image at all: b" in images


def test_other_prefixes_and_folders_called_like_files_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/im_a.png", "masks/a.png", "images/IM_b.png", "images/c.png")
    (tmp_path / "images/im_d.png").mkdir()
    (text,) = told(tmp_path, images="images/im_{id}.png")
    assert "3 file(s)" in text and "(1 of them folders)" in text
    assert "images/IM_b.png, images/c.png, images/im_d.png" in text
    assert "no image at all: b, d" in text


def test_what_systems_leave_and_texts_are_not_told(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "images/Thumbs.db", "images/.DS_Store")
    touch(tmp_path, "images/._a.png", "images/a.xml", "masks/desktop.ini", "images/README.md")
    assert told(tmp_path) == []


def test_hidden_images_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png", "images/.b.PNG", "masks/._b.png")
    (text,) = told(tmp_path)
    assert "images/.b.PNG (1 of them hidden" in text and "no image at all: b" in text


def test_what_windows_leaves_is_no_image_of_a_wild_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/Thumbs.db", "masks/a.png", "masks/desktop.ini")
    data = config(tmp_path, images="images/{id}.*", masks="masks/{id}.*")
    catalog = list_samples(data)
    assert [each.id for each in catalog.train] == ["a"] and not catalog.masks_without_image
    assert not find_leftovers(catalog, data)


@pytest.mark.parametrize("folder", ["images/old", "images/x/y", "Images", "IMAGES/x", "masks/z"])
def test_images_where_no_pattern_looks_are_told(folder: str, tmp_path: Path) -> None:
    """Too deep, or in a folder of another case: of masks as of images."""
    touch(tmp_path, "images/a.jpg", "masks/a.jpg", "images/.cache/b.jpg", f"{folder}/b.JPEG")
    key = "data.masks" if "masks" in folder else "data.images"
    assert told(tmp_path, images="images/{id}.jpg", masks="masks/{id}.jpg") == [
        f"{key}: 1 file(s) in folders that no pattern reaches: {folder}/b.JPEG"
    ]


def test_files_of_another_pattern_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "all/a.jpg", "all/a_mask.png", "s/b/images/b.png", "s/b/masks/1.png")
    assert told(tmp_path, images="all/{id}.jpg", masks="all/{id}_mask.png") == []
    assert told(tmp_path, images="s/{id}/images/{id}.png", masks="s/{id}/masks/*.png") == []


def test_links_to_nothing_pipes_and_odd_names_are_errors(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "masks/a.png")
    (tmp_path / "images/b.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "images/c.png")
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/d\xff.png")), b"x")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/e\xff"))
    write(folder / "f.png", b"x")
    (nested,) = find_unusable(config(tmp_path, images="images/{id}/f.png"))
    assert nested.text.startswith(r"the name images/e\xff/f.png is not UTF-8")
    errors = [f"{each.severity} {each.text}" for each in find_unusable(config(tmp_path))]
    assert errors == [
        "error images/b.png is a broken link; get it, or remove it",
        "error images/c.png is not a regular file; get it, or remove it",
        r"error the name images/d\xff.png is not UTF-8; rename the file",
    ]


def test_a_locale_without_the_letters_of_a_name_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/caf\u00e9.png", "masks/a.png")
    code = (
        "from pathlib import Path; from tests.helpers.data_folders import config; "
        "from pipeline.checks.unmatched_files import find_unusable; "
        f"print(find_unusable(config(Path({str(tmp_path)!r})))[0].text)"
    )
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ascii_alone["PYTHONIOENCODING"] = "utf-8"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **ascii_alone},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "is UTF-8, and Python reads names as ascii here; set PYTHONUTF8=1" in done.stdout


def test_names_in_two_unicode_forms_are_one_error(tmp_path: Path) -> None:
    touch(tmp_path, "images/caf\u00e9.png", "masks/cafe\u0301.png", "images/b.png", "masks/b.png")
    (error,) = find_unusable(config(tmp_path))
    assert error.subject == "data.images and data.masks"
    assert "two Unicode forms that look alike" in error.text
