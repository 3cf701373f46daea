"""Ids that a table cannot hold are refused at once, and those that mislead are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.catalog import list_samples
from pipeline.data.names import oddities, refuse_unwritable, runs_as_formula
from pipeline.errors import DataError
from tests.helpers.data_folders import config, encoded, write

PNG = encoded(Image.new("RGB", (4, 4)), "PNG")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([b"a\nb", b"c"], r"control characters: 'a\\nb'; rename"),
        ([b"a\rb"], r"'a\\rb'"),
        ([b"a\x7fb", b"\tc"], r"'\\tc', 'a\\x7fb'"),
        ([b" a", b"a"], r"differ only in spaces at the ends or in Unicode form: ' a' and 'a'"),
        (["é".encode(), "e\u0301".encode()], r"Unicode form: 'e\\u0301' and '\\xe9'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", ["images", "test"])
def test_ids_that_tables_lose_are_refused(
    names: list[bytes], says: str, part: str, tmp_path: Path
) -> None:
    write(tmp_path / "images/x.png", PNG)
    for name in names:
        write(Path(os.fsdecode(os.fsencode(tmp_path / part) + b"/" + name + b".png")), PNG)
    data = config(tmp_path, test="test/{id}.png")
    with pytest.raises(DataError, match=rf"^data\.{part}: .*{says}") as refusal:
        refuse_unwritable(list_samples(data), data)
    str(refusal.value).encode()


def test_other_ids_are_fine(tmp_path: Path) -> None:
    for name in ("a,b", 'a"b', " a", "=1", "..x", "a" * 240, "é", "001"):
        write(tmp_path / f"images/{name}.png", PNG)
    data = config(tmp_path)
    refuse_unwritable(list_samples(data), data)
    with pytest.raises(DataError, match="ids are longer than 200 bytes"):
        referred = config(tmp_path, reference="refs/{id}.png")
        refuse_unwritable(list_samples(referred), referred)


@pytest.mark.parametrize("name", ["=1+1", "+a", "-a", "@SUM(A1)", " =1", "-1+1", "+1e5x"])
def test_formulas_are_told(name: str) -> None:
    assert runs_as_formula(name)
    told = list(oddities(["a", name]))
    assert any("1 begin with =, +, - or @" in text for text in told)


@pytest.mark.parametrize("name", ["", "a", "1", "-1", "+2.5", "-1e-5", "-", "001", "a=b", "_-1"])
def test_numbers_and_words_are_no_formulas(name: str) -> None:
    assert not runs_as_formula(name)


def test_blanks_are_told_and_plain_ids_are_not() -> None:
    assert list(oddities([" a", "b", "c d"])) == ["1 begin or end with a space: ' a'"]
    assert not list(oddities(["a", "b c", "0001", "png", "v1.2"]))


@pytest.mark.parametrize("name", ["a\u200bb", "\ufeffa", "a\u202eb"])
def test_letters_that_cannot_be_seen_are_told(name: str) -> None:
    """No table that was typed has them, and no message shows them."""
    (text,) = oddities(["a", name])
    assert text == f"1 contain letters that cannot be seen: {name!a}; rename the files"


def test_doubled_endings_are_told() -> None:
    (text,) = oddities(["a", "b.png", "c.JPEG"])
    assert text.startswith("2 end in a file suffix, as if it were doubled: b.png, c.JPEG;")
