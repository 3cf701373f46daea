"""What is missing in a table of run lengths is said, never read as an empty mask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import MaskTable
from pipeline.data import rle
from pipeline.data.catalog import list_samples
from pipeline.data.inspection import inspect
from pipeline.data.masks.registry import mask_format
from pipeline.data.row_keys import table_key
from tests.helpers.data_folders import config, save, write

SIDE = 200
HEADER = "ImageId,EncodedPixels"


def problems(root: Path, table: str, ids: str, **keys: Any) -> dict[str, str]:
    """What `check` finds wrong with the images of a table, by id."""
    write(root / "t.csv", table)
    classes = keys.pop("classes", ["car"])
    for each in ids:
        save(root / f"images/{each}.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    data = config(root, masks={"csv": "t.csv", **keys}, classes=classes)
    records = inspect(list_samples(data), data, {}, lambda _: None)
    return {record.id: record.problem for record in records if record.problem}


def doubts(root: Path, table: str, ids: str, **keys: Any) -> list[str]:
    write(root / "t.csv", table)
    classes = keys.pop("classes", ["car"])
    return mask_format(config(root, masks={"csv": "t.csv", **keys}, classes=classes)).doubts(ids)


def long_runs(characters: int) -> str:
    """Run lengths of that many characters, or a few less."""
    text = rle.encode(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 2 == 0, "row")
    return text[:characters].rpartition(" ")[0] if len(text) > characters else text


def cut_at(limit: int) -> str:
    text = rle.encode(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 2 == 0, "row")[:limit]
    return text if len(text.split()) % 2 == 0 else text.rsplit(" ", 1)[0] + " "


@pytest.mark.parametrize("limit", [32_767, 65_535])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_that_was_cut_is_an_error_of_its_line(
    limit: int, quote: str, tmp_path: Path
) -> None:
    table = f"{HEADER}\na,1 2\nb,{quote}{cut_at(limit)}{quote}\n"
    found = problems(tmp_path, table, "ab", order="row")
    assert list(found) == ["b"]
    assert "t.csv, line 3, row 'b': its run lengths end at" in found["b"]
    assert f"limit of {limit:,} characters" in found["b"]


def test_a_long_cell_that_is_whole_is_none(tmp_path: Path) -> None:
    whole = rle.encode(np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 2 == 0, "row")
    assert len(whole) > 65_535
    assert not problems(tmp_path, f"{HEADER}\na,{whole}\n", "a", order="row")


def test_cells_that_end_just_before_a_limit_are_doubted(tmp_path: Path) -> None:
    near = f"{HEADER}\na,{'1' * 32_760}\nb,1 1\n"
    (doubt,) = doubts(tmp_path, near, "ab")
    assert doubt.startswith("the run lengths of a end just before 32,767 characters")
    assert not doubts(tmp_path, near + f"c,{'1' * 32_800}\n", "abc")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("a,1 2\nb\nc,\n", "line 3, row 'b': has 1 cell(s), and the header has 2"),
        ("a,1 2\nb,1 2,9\nc,\n", "line 3, row 'b': has 3 cell(s)"),
        ('a,1 2\nb,"5 1\nx,3 1"\nc,\n', "line 3, row 'b': the cell of 'EncodedPixels' spans"),
        ("a,1 2\nc,\nb,1 2 3", "line 4, row 'b': run 2: start 3 has no length (an odd count of "
         "numbers, 3) (the file ends in the middle of that line; is it complete?)"),
        ("a,1 2\nc,\n", "t.csv has no row 'b'; its rows have keys like 'a'"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_whole_is_an_error_of_its_image(
    table: str, says: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, f"{HEADER}\n{table}", "abc")
    assert list(found) == ["b"]
    assert says in found["b"]


@pytest.mark.parametrize("row", [",1 2", " ,1 2"])
def test_a_row_of_nobody_is_an_error(row: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=re.escape("t.csv, line 3: has no 'ImageId'")):
        problems(tmp_path, f"{HEADER}\na,1 2\n{row}\n", "a")


BY_CLASS = {"classes": ["x", "y"], "key": "{id}_{class}"}


def rows(ids: str, text: str = "1 2") -> str:
    return "".join(f"{each}_x,{text}\n{each}_y,\n" for each in ids)


def test_a_class_without_a_row_is_an_error_where_all_others_have_one(tmp_path: Path) -> None:
    table = f"{HEADER}\n{rows('abcdefghij')}".replace("g_x,1 2\n", "")
    found = problems(tmp_path, table, "abcdefghij", **BY_CLASS)
    assert list(found) == ["g"]
    assert (
        "has no row 'g_x', although it also lists empty masks; is the table complete?" in found["g"]
    )


def test_a_class_without_a_row_is_empty_where_only_full_masks_have_one(tmp_path: Path) -> None:
    table = f"{HEADER}\na_x,1 2\nb_y,1 2\n"
    assert not problems(tmp_path, table, "abc", **BY_CLASS)
    (doubt,) = doubts(tmp_path, table, "abc", **BY_CLASS)
    assert doubt == (
        "1 image(s) have no row, which is read as an empty mask: c; they would come after the "
        "last row, as in a table that was cut"
    )
    (doubt,) = doubts(tmp_path, table.replace("a_x", "c_x"), "abc", **BY_CLASS)
    assert doubt == "1 image(s) have no row, which is read as an empty mask: a"


def test_a_last_line_without_an_end_is_doubted(tmp_path: Path) -> None:
    (doubt,) = doubts(tmp_path, f"{HEADER}\na,1 2\nb,1 2", "ab")
    assert "t.csv has no line break after its last row, 'b'" in doubt
    assert not doubts(tmp_path, f"{HEADER}\na,1 2\nb,1 2\n", "ab")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("a,\n", "1 mask(s) have an empty row and others: a"),
        ("a,1 2\n", "1 mask(s) have the same row twice: a"),
        ("b,-1\n", "1 mask(s) have the same row twice: b"),
        ("a,5 1\n", None),
    ],
)
def test_rows_that_are_no_parts_of_one_mask_are_doubted(
    more: str, says: str | None, tmp_path: Path
) -> None:
    assert doubts(tmp_path, f"{HEADER}\na,1 2\nb,-1\n{more}", "ab") == ([says] if says else [])


@pytest.mark.parametrize(
    "sample_id", ["001", "1e5", "NA", "nan", "-1", "a,b", 'a"b', " a", "{class}"]
)
def test_odd_ids_find_their_rows(sample_id: str, tmp_path: Path) -> None:
    save(tmp_path / f"images/{sample_id}.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    cell = '"' + sample_id.replace('"', '""') + '"'
    write(tmp_path / "t.csv", f"{HEADER}\r\n{cell},1 2\r\n")
    data = config(tmp_path, masks={"csv": "t.csv"})
    (sample,) = list_samples(data).train
    assert mask_format(data).read(sample.id, sample.masks, (SIDE, SIDE)).planes.sum() == 2
    assert table_key(MaskTable(csv=Path("t.csv")), sample.id, "car") == (sample_id, "")
