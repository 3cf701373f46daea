"""Samples are found and matched by id; tables are read as text; groups name every id."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.catalog import find_files, list_samples
from pipeline.data.groups import groups_of
from pipeline.data.listing import listed
from pipeline.errors import ConfigError, DataError
from tests.helpers.data_folders import config, write

NAMES = st.text(st.sampled_from("ab01_-. é[]{}()+?^$"), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(".")
)


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        write(root / path, b"x")


def found(root: Path, pattern: str) -> dict[str, list[str]]:
    files = find_files(root, pattern)
    return {key: [path.relative_to(root).as_posix() for path in files[key]] for key in files}


def test_ids_are_what_stands_for_them(tmp_path: Path) -> None:
    touch(tmp_path, "t/b_01.jpg", "t/a_02.jpg", "t/c.png", "t/sub/d.jpg", "a_03.jpg", "t/e.jpg.txt")
    assert found(tmp_path, "t/{id}.jpg") == {"a_02": ["t/a_02.jpg"], "b_01": ["t/b_01.jpg"]}
    assert list(found(tmp_path, "./t/{id}.jpg")) == ["a_02", "b_01"]
    assert list(found(tmp_path, "t/a_{id}.jpg")) == ["02"]
    assert found(tmp_path, "t/{id}.*") == {
        "a_02": ["t/a_02.jpg"], "b_01": ["t/b_01.jpg"], "c": ["t/c.png"], "e.jpg": ["t/e.jpg.txt"],
    }  # fmt: skip
    assert found(tmp_path, "*/{id}.jpg").keys() == {"a_02", "b_01"}


def test_an_id_that_is_said_twice_must_be_the_same_twice(tmp_path: Path) -> None:
    touch(tmp_path, "s/a/images/a.png", "s/b/images/c.png", "s/a/masks/2.png", "s/a/masks/1.png")
    assert found(tmp_path, "s/{id}/images/{id}.png") == {"a": ["s/a/images/a.png"]}
    assert found(tmp_path, "s/{id}/masks/*.png") == {"a": ["s/a/masks/1.png", "s/a/masks/2.png"]}


@settings(deadline=None, max_examples=60)
@given(names=st.sets(NAMES, max_size=5), folder=NAMES)
def test_any_name_is_found_as_it_is(names: set[str], folder: str) -> None:
    folder = folder.translate(dict.fromkeys(map(ord, "{}."), "x"))
    with TemporaryDirectory() as root:
        touch(Path(root), *(f"{folder}/{name}.png" for name in names))
        assert find_files(Path(root), f"{folder}/{{id}}.png").keys() == names


def test_what_a_shell_would_expand_is_meant_as_it_stands(tmp_path: Path) -> None:
    touch(tmp_path, "set[1]/a?.png", "set1/b.png", "set[1]/c.png")
    assert found(tmp_path, "set[1]/{id}.png") == {"a?": ["set[1]/a?.png"], "c": ["set[1]/c.png"]}
    assert list(found(tmp_path, "set[1]/{id}?.png")) == ["a"]


def test_hidden_files_and_folders_of_that_name_are_no_samples(tmp_path: Path) -> None:
    touch(tmp_path, "t/a.png", "t/._a.png", "t/.b.png", "t/...png", "t/c.png/inner")
    assert list(found(tmp_path, "t/{id}.png")) == ["a"]


def test_samples_are_matched_by_id_whatever_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/b.png", "images/c.png", "masks/c.png", "masks/a.png")
    touch(tmp_path, "masks/z.png", "refs/b.png", "test/d.png", "test_refs/d.png")
    catalog = list_samples(
        config(
            tmp_path,
            test="test/{id}.png",
            reference="refs/{id}.png",
            test_reference="test_refs/{id}.png",
        )
    )
    assert [sample.id for sample in catalog.train] == ["a", "b", "c"]
    assert [[path.name for path in sample.masks] for sample in catalog.train] == [
        ["a.png"], [], ["c.png"],
    ]  # fmt: skip
    assert [sample.reference is None for sample in catalog.train] == [True, False, True]
    assert catalog.by_id["test"]["d"].reference == tmp_path / "test_refs/d.png"
    assert catalog.by_id["test"]["d"].masks == ()
    assert catalog.masks_without_image == ("z",)
    assert catalog.duplicates == ()


def test_dropped_ids_are_gone_from_training_and_stay_in_test(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/b.png", "masks/b.png", "test/b.png")
    catalog = list_samples(config(tmp_path, test="test/{id}.png", drop=["b"]))
    assert list(catalog.by_id["train"]) == ["a"]
    assert list(catalog.by_id["test"]) == ["b"]
    assert catalog.masks_without_image == ()


def test_an_id_that_two_images_claim_is_a_duplicate_until_dropped(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "images/a.jpg", "images/b.jpg", "test/c.png", "test/c.gif")
    keys: dict[str, Any] = {"images": "images/{id}.*", "test": "test/{id}.*"}
    assert list_samples(config(tmp_path, **keys)).duplicates == ("a", "c")
    assert list_samples(config(tmp_path, **keys, drop=["a"])).duplicates == ("c",)


def test_a_missing_folder_and_missing_images_name_the_key(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.root: there is no folder .*nowhere; .*DATA="):
        list_samples(config(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"data\.images: no file matches .*images/\{id\}\.png"):
        list_samples(config(tmp_path))


def test_no_test_images_are_an_empty_part(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png")
    assert list_samples(config(tmp_path, test="test/{id}.png")).test == ()
    assert list_samples(config(tmp_path)).test == ()


def test_without_groups_every_image_is_its_own(tmp_path: Path) -> None:
    assert groups_of(["a", "b"], config(tmp_path)) == {"a": "a", "b": "b"}


def test_groups_by_regex(tmp_path: Path) -> None:
    cars = config(tmp_path, group="^([0-9a-f]+)_")
    assert groups_of(["00a_01", "00a_02", "00b_01"], cars) == {
        "00a_01": "00a", "00a_02": "00a", "00b_01": "00b",
    }  # fmt: skip
    with pytest.raises(DataError, match=r"data\.group: .* matches no group in x1, x2"):
        groups_of(["00a_01", "x1", "x2"], cars)
    with pytest.raises(DataError, match="matches no group in x"):
        groups_of(["a1", "x"], config(tmp_path, group="(a)?."))


def test_groups_from_a_table(tmp_path: Path) -> None:
    write(tmp_path / "g.csv", "name, patient\n../x,p0\na, p1\nb,p2\nb,p2\nc,p1\nunused,\n")
    columns = {"csv": "g.csv", "id": "name", "group": "patient"}
    data = config(tmp_path, group=columns)
    assert groups_of(["c", "a", "b"], data) == {"c": "p1", "a": "p1", "b": "p2"}
    with pytest.raises(DataError, match=r"g\.csv names no group for d, unused"):
        groups_of(["a", "d", "unused"], data)
    write(tmp_path / "g.csv", "name,patient\na,p1\na,p2\nb,p1\n")
    with pytest.raises(DataError, match=r"g\.csv names several groups for a"):
        groups_of(["a", "b"], data)
    with pytest.raises(DataError, match=r"g\.csv has no column 'id'"):
        groups_of(["a"], config(tmp_path, group={"csv": "g.csv"}))
    write(tmp_path / "g.csv", "name,patient\na.tiff,p1\nb.tiff,p2\n")
    named = config(tmp_path, group={**columns, "key": "{id}.tiff"})
    assert groups_of(["b", "a"], named) == {"a": "p1", "b": "p2"}
    volumes = {"bands": ["x"], "volume": {}, "group": {**columns, "key": "{id}.tiff"}}
    slices = ["a_0000", "a_0001", "b_0000"]
    found = groups_of(slices, config(tmp_path, **volumes))
    assert found == dict(zip(slices, ["p1", "p1", "p2"], strict=True)), "of their volumes"


def test_an_id_cannot_be_a_path(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "secret.png", "images/sub/b.png")
    assert list(found(tmp_path, "images/{id}.png")) == ["a"]
    with pytest.raises(ConfigError):
        config(tmp_path, images="/images/{id}.png")


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(9)]) == "0, 1, 2, 3, 4 and 4 more"
    assert listed([]) == "none"


@pytest.mark.parametrize("odd", [" a", "a b", "a,b", "a\nb", "it's", 'a"b', "\udcff", ""])
def test_names_that_could_be_misread_stand_in_quotes(odd: str) -> None:
    shown = listed(["a", odd])
    assert shown == f"a, {odd!r}" and shown.isprintable()
    shown.encode()
