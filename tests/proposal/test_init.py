"""The command `init`: what it writes, what it refuses, and what it says."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline import cli
from pipeline.config import load_experiment
from pipeline.data.rle import encode
from pipeline.errors import ConfigError, DataError
from pipeline.proposal.proposal import propose
from tests.helpers import competition_layouts as layouts
from tests.helpers.competition_layouts import disc, put, table
from tests.helpers.demo_folders import digests


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    layouts.carvana(tmp_path / "data")
    return tmp_path / "data"


def test_it_writes_an_experiment_checks_it_and_names_the_next_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(folder)
    assert cli.main(["init", "--data", str(folder), "--name", "mine"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("init: configs/mine.yaml is written and checked in ")
    assert last.endswith("then: make CONFIG=configs/mine.yaml")
    assert digests(folder) == before
    assert load_experiment(Path("configs/mine.yaml")).data.masks == "train_masks/{id}_mask.gif"
    lines = Path("configs/mine.yaml").read_text().splitlines()
    above = {line.split(":")[0].strip(): before for before, line in pairwise(lines)}
    assert "sure: 18 files" in above["images"]
    assert "likely: ids such as 00a9_01" in above["group"]
    assert "files read" in lines[1]


def test_the_name_of_the_folder_is_the_default(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "--data", str(folder)], program="maskmill") == 0
    assert "maskmill all --config configs/data.yaml" in capsys.readouterr().out
    assert load_experiment(Path("configs/data.yaml")).name == "data"


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("configs").mkdir()
    Path("configs/mine.yaml").write_text("mine\n")
    assert cli.main(["init", "--data", str(folder), "--name", "mine"]) == 2
    assert "configs/mine.yaml exists, and init overwrites nothing" in capsys.readouterr().err
    assert Path("configs/mine.yaml").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["../x", "a b", "-n", "a/b", "x" * 90])
def test_a_name_must_be_one_of_files(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "--data", str(folder), f"--name={name}"]) == 2
    assert "letters, digits" in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_it_refuses_a_working_directory_within_the_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(folder)
    monkeypatch.chdir(folder / "train")
    assert cli.main(["init", "--data", "..", "--name", "mine"]) == 2
    assert "writes nothing to the folder of the data" in capsys.readouterr().err
    assert digests(folder) == before


@pytest.mark.parametrize("data", [[], ["--data", "nowhere"]])
def test_a_folder_that_is_not_there(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", *data, "--name", "surely_new"]) > 0
    error = capsys.readouterr().err
    assert "DATA=/folder" in error or "there is no folder nowhere" in error


def test_what_check_finds_is_said_with_the_file_to_edit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "train/00a9_01.jpg").write_bytes(b"")
    assert cli.main(["init", "--data", str(folder), "--name", "mine"]) == 1
    error = capsys.readouterr().err
    assert "00a9_01.jpg is empty" in error
    assert "then make check CONFIG=configs/mine.yaml" in error
    assert Path("configs/mine.yaml").is_file()


def test_a_folder_without_masks_is_described(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"photos/{number}.jpg", disc(number)[0])
    table(tmp_path / "names.csv", "id,age", "0,5", "1,6", "2,7")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError) as error:
        propose(tmp_path)
    for part in ("Looked for mask files", "photos/*.jpg (3 images)", "names.csv (columns id, age)",
                 "1 of .txt", "Among 5 file(s)"):  # fmt: skip
        assert part in str(error.value)


def test_arrays_and_volumes_are_hinted_at(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/case1.nii.gz").write_bytes(b"x")
    with pytest.raises(DataError, match=r"and data\.volume where"):
        propose(tmp_path)


def test_names_that_repeat_are_no_ids(tmp_path: Path) -> None:
    """Videos with a folder each, whose frames are called alike: no class is read into them."""
    for video in ("bear", "cow", "dog"):
        for number in range(4):
            image, mask = disc(number)
            put(tmp_path / f"JPEGImages/{video}/{number:05d}.jpg", image)
            put(tmp_path / f"Annotations/{video}/{number:05d}.png", mask)
    with pytest.raises(DataError, match=r"00000.jpg and .*00000.jpg share theirs"):
        propose(tmp_path)


def test_masks_that_no_pattern_tells_from_images(tmp_path: Path) -> None:
    for number in range(4):
        image, mask = disc(number)
        put(tmp_path / f"{number}.png", image)
        put(tmp_path / f"{number}_mask.png", mask)
    with pytest.raises(DataError, match=r"takes \*\.png, also takes \*_mask\.png; move"):
        propose(tmp_path)


def test_folders_that_no_pattern_can_name(tmp_path: Path) -> None:
    for number in range(4):
        image, mask = disc(number)
        put(tmp_path / f"images/{number}.png", image)
        put(tmp_path / f"{{masks}}/{number}.png", mask)
    with pytest.raises(DataError, match=r"braces and asterisks of \{masks\}; rename"):
        propose(tmp_path)


@pytest.mark.parametrize("kind", ["damaged", "coloured"])
def test_masks_without_values_still_give_an_experiment(kind: str, tmp_path: Path) -> None:
    """It says so, and `check` names the files."""
    for number in range(4):
        image, mask = disc(number)
        put(tmp_path / f"images/{number}.png", image)
        put(tmp_path / f"masks/{number}.png", np.stack([mask * 90, mask, mask * 7], axis=2))
        if kind == "damaged":
            (tmp_path / f"masks/{number}.png").write_bytes(b"no image")
    found = {each.key: each for each in propose(tmp_path).blocks["data"]}
    assert found["classes"].value == ["object"]
    assert ("colours" if kind == "coloured" else "no values") in found["classes"].why


def test_gray_levels_and_numbered_objects(tmp_path: Path) -> None:
    for number in range(6):
        image, mask = disc(number)
        cells = np.zeros_like(mask)
        for at in range(4 + number % 3):
            cells[2:8, 2 + 8 * at : 8 + 8 * at] = at + 1
        put(tmp_path / f"a/images/{number}.png", image)
        put(tmp_path / f"a/masks/{number}.png", mask * np.uint8(127))
        put(tmp_path / f"b/images/{number}.png", image)
        put(tmp_path / f"b/masks/{number}.png", cells)
    assert propose(tmp_path / "a").raw["data"]["classes"] == {"class_127": 127, "class_254": 254}
    assert propose(tmp_path / "b").raw["data"]["classes"] == ["object"]


def test_what_stays_out_is_said(tmp_path: Path) -> None:
    layouts.tgs(tmp_path)
    first = sorted((tmp_path / "train/masks").iterdir())[0]
    first.unlink()
    (tmp_path / "broken.csv").write_bytes(b"a,b\n\xff\xff")
    put(tmp_path / "extra/1.png", disc(1)[0])
    proposal = propose(tmp_path)
    found = {each.key: each for each in proposal.blocks["data"]}
    assert first.stem in found["drop"].why
    assert found["drop"].alternatives[0].value == [first.stem]
    assert found["masks"].alternatives[0].value["csv"] == "train.csv"
    notes = "\n".join(proposal.notes)
    for part in ("not used: extra/*.png (1 file(s))", "broken.csv", "table: depths.csv"):
        assert part in notes


def test_relative_runs_along_rows(tmp_path: Path) -> None:
    """Starts that count from the run before, and the order by what the images show."""
    lines = []
    for number in range(12):
        image, mask = disc(number)
        put(tmp_path / f"png/p{number}.png", image)
        lines.append(f"p{number},{encode(mask > 0, 'row', relative=True)}")
    table(tmp_path / "train-rle.csv", "ImageId,EncodedPixels", *lines)
    masks = propose(tmp_path).raw["data"]["masks"]
    assert masks["relative"] is True
    assert masks["order"] == "row"


def test_a_folder_of_many_files_is_sampled(tmp_path: Path) -> None:
    image, mask = disc(1)
    put(tmp_path / "i.png", image)
    put(tmp_path / "m.png", mask)
    (tmp_path / "many/images").mkdir(parents=True)
    (tmp_path / "many/masks").mkdir()
    for number in range(1000):
        os.link(tmp_path / "i.png", tmp_path / f"many/images/{number:04d}.png")
        os.link(tmp_path / "m.png", tmp_path / f"many/masks/{number:04d}.png")
    proposal = propose(tmp_path / "many")
    assert "303 of 2000 files read" in proposal.summary
    assert "300 of 1000 were read" in {f.key: f for f in proposal.blocks["data"]}["classes"].why


def test_a_class_column_with_blanks(tmp_path: Path) -> None:
    """Rows of images without any class have an empty cell there, which is no class."""
    lines = []
    for number in range(8):
        image, mask = disc(number)
        put(tmp_path / f"train/{number}.png", image)
        lines += [f"{number},{name},{encode(mask == name, 'column')}" for name in (1, 2)]
    table(tmp_path / "train.csv", "ImageId,ClassId,EncodedPixels", *lines[:-2], "7,,")
    raw = propose(tmp_path).raw["data"]
    assert raw["classes"] == ["1", "2"]
    assert raw["masks"]["class"] == "ClassId"


def test_classes_that_no_experiment_can_name(tmp_path: Path) -> None:
    for number in range(4):
        image, mask = disc(number)
        put(tmp_path / f"images/{number}.png", image)
        for name in ("cat ", "dog"):
            put(tmp_path / f"masks/{name}/{number}.png", mask)
    with pytest.raises(ConfigError, match=r"classes.*no spaces at its ends.*; rename it"):
        propose(tmp_path)


def test_a_table_may_name_test_images_too(tmp_path: Path) -> None:
    layouts.hubmap(tmp_path)
    path = tmp_path / "HuBMAP-20-dataset_information.csv"
    path.write_text(path.read_text() + "t1,9\nt2,9\n")
    group = {each.key: each for each in propose(tmp_path).blocks["data"]}["group"]
    assert group.value["group"] == "patient_number"
    assert "6 groups of 12 images" in group.why


def test_a_sample_of_other_images_is_not_used(tmp_path: Path) -> None:
    layouts.carvana(tmp_path)
    table(tmp_path / "sample_submission.csv", "img,rle_mask", "x.jpg,1 1", "y.jpg,1 1")
    submission = {each.key: each for each in propose(tmp_path).blocks["submission"]}
    assert submission["sample"].value is None
    assert "does not name the test images" in submission["sample"].why
    assert submission["columns"].value == ["img", "rle_mask"]


def test_more_columns_of_the_sample_are_copied(tmp_path: Path) -> None:
    layouts.carvana(tmp_path)
    rows = [f"ffa9_{view:02d}.jpg,40,56,1 1" for view in (1, 2)]
    table(tmp_path / "sample_submission.csv", "img,height,width,rle_mask", *rows)
    submission = {each.key: each.value for each in propose(tmp_path).blocks["submission"]}
    assert submission["sample"] == "sample_submission.csv"
    assert submission["columns"] == ["img", "rle_mask"]
    assert submission["copied"] == ["height", "width"]


def test_many_images_without_mask_are_left_out_by_one_word(tmp_path: Path) -> None:
    layouts.voc(tmp_path)
    for number in range(21):
        put(tmp_path / f"JPEGImages/2008_{number:06d}.jpg", layouts.disc(number)[0])
    proposal = propose(tmp_path)
    found = {each.key: each for each in proposal.blocks["data"]}["without_mask"]
    assert found.value == "error" and "21 image(s) have no mask" in found.why
    assert [each.value for each in found.alternatives] == ["drop", "empty"]
