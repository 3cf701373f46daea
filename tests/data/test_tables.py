"""Strangers' tables are read with care, our own by the letter; nothing is lost in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.tables import open_table, read_own_table, read_table
from pipeline.errors import ArtefactError, DataError
from tests.helpers.data_folders import write

COLUMNS = ("id", "x")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,x\na,1 2\nb,\n", [("a", "1 2"), ("b", "")]),
        ("id, x\na, -1\n", [("a", " -1")]),
        ('id, x\na, "1 2"\n', [("a", "1 2")]),
        ("id,x\na,\n\n  \nb,2\n,\n", [("a", ""), ("b", "2")]),
        ("id,x\r\n007,1e5\r\nNA,nan\r\n", [("007", "1e5"), ("NA", "nan")]),
        ("id,x\r007,1\rb,2", [("007", "1"), ("b", "2")]),
        (b"\xef\xbb\xbfid,x\na,1\n", [("a", "1")]),
        ("id,x\na,1\n".encode("utf-16"), [("a", "1")]),
        ("id;x\na;1 2\n", [("a", "1 2")]),
        ("id\tx\na\t1,2\n", [("a", "1,2")]),
        ('"id","x"\n"a,b","say ""1"""\n', [("a,b", 'say "1"')]),
        ('id,x,note\na,1,"two, and\nmore lines"\nb,2,\n', [("a", "1"), ("b", "2")]),
        ("x,extra,id\n1,,a\n", [("a", "1")]),
        ("id,x,,\na,1,,\n", [("a", "1")]),
        ("id,x\na\u2028b\x0cc,1\n", [("a\u2028b\x0cc", "1")]),
        ("id,x\na," + "1 1 " * 50_000 + "\n", [("a", "1 1 " * 50_000)]),
        ("id,x\n", []),
    ],
)
def test_tables_are_text_as_it_stands(
    content: str | bytes, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    table = read_table(write(tmp_path / "t.csv", content), COLUMNS)
    assert list(zip(table["id"], table["x"], strict=True)) == rows


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id|x\na|1\n", "has no column 'id'; it has ['id|x']"),
        ("id,y\n", "has no column 'x'; it has ['id', 'y']"),
        ("ID,X\n", "has no column 'id'; it has ['ID', 'X']; did you mean ID?"),
        ("", "cannot be read as CSV: its first line"),
        ("\n\nid,x\n", "its first line, the header, is empty"),
        ("id,x,x\n", "has the column 'x' twice"),
        ("id,x, x\n", "has the column 'x' twice"),
        ("id,x,note,note\n", "has the column 'note' twice"),
        ('id,"x\na",1\n', "a quoted name in its header has no closing quote"),
        (b"id,x\na,1\n\xff\xfe,1\n", r"line 3 holds b'\xff', which is not UTF-8"),
        (b"id,x\na,1\nb\0,1\n", "line 3 holds a NUL byte"),
        ("id,x\na,1\n".encode("utf-16-le"), "line 1 holds a NUL byte"),
        (b"PK\x03\x04\x14\0", "a zip archive or an Excel workbook"),
        ('id,x\nb,2\n"a,1\nc,3\n', 'line 3 has a quote (") that opens a cell'),
        ('id,x\n"a"b,1\n', 'line 2 has a quote (")'),
        ('id,x\nb,"1 2\nc,3 4\nd,5 6"\n', "line 2: the cell of 'x' spans 3 lines"),
        ('id,x,n\nb,1,"oh\nc,3,no\nd,5,dear"\n', "line 2: the cell of 'n' spans 3 lines"),
        (
            "id,x\na,b.jpg,1 2\nc,d.jpg,3 4\n",
            "line 2: has 3 cell(s), and the header has 2 (and 1 m",
        ),
        ("id,x\na,1\nb,2,3\n", "line 3: has 3 cell(s)"),
        ("id,x\na\nb,2\n", "line 2: has 1 cell(s)"),
        ("id,x\nb,2\n\na", "line 4: has 1 cell(s)"),
    ],
)
def test_a_table_that_is_none_is_named_with_its_line(
    content: str | bytes, says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"t\.csv.*{re.escape(says)}"):
        read_table(write(tmp_path / "t.csv", content), COLUMNS)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv is missing"):
        read_table(tmp_path / "t.csv", ())
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_table(tmp_path, ())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.one_of(
        st.binary(max_size=60),
        st.text('idx,;\t"\r\n \0é=', max_size=40).map(str.encode),
        st.text('ab,"\r\n ', max_size=40).map(lambda text: b"id,x\n" + text.encode()),
    )
)
def test_any_bytes_are_a_table_or_a_clear_error(tmp_path: Path, raw: bytes) -> None:
    """And no row of a table has more or fewer cells than its header."""
    path = write(tmp_path / "t.csv", raw)
    for read, error in ((read_table, DataError), (read_own_table, ArtefactError)):
        try:
            table = read(path, COLUMNS)
        except error as refusal:
            assert "t.csv" in str(refusal)
        else:
            assert len(table["id"]) == len(table["x"])


@given(
    rows=st.lists(
        st.tuples(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
                  st.text("0123456789 ")), max_size=5
    )
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_own_tables_come_back_by_the_letter(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    import pandas as pd

    text = pd.DataFrame(rows, columns=["id", "x"]).to_csv(index=False)
    table = read_own_table(write(tmp_path / "t.csv", text), COLUMNS)
    assert list(zip(table["id"], table["x"], strict=True)) == rows


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id, x\na,1\n", "has no column 'x'; it has ['id', ' x']; did you mean ' x'?"),
        ("id;x\na;1\n", "has no column 'id'"),
        ("id,x\na\n", "line 2: has 1 cell(s)"),
        ('id,x\n"a\nb",1\n', "line 2: the cell of 'id' spans 2 lines"),
        ("id,x,x\na,1,2\n", "has the column 'x' twice"),
    ],
)
def test_own_tables_that_are_none_say_how_to_go_on(content: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=re.escape(says)) as refusal:
        read_own_table(write(tmp_path / "t.csv", content), COLUMNS)
    assert "or delete it to regenerate it" in str(refusal.value)


def test_columns_and_marks_of_a_person_are_fine_in_own_tables(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfnote,x,id\r\n"why,\r\nnot",1, a \r\n'
    table = read_own_table(write(tmp_path / "t.csv", content), COLUMNS)
    assert table.to_dict("records") == [{"note": "why,\r\nnot", "x": "1", "id": " a "}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_beginning_of_a_table_is_whole_rows(encoding: str, end: str, tmp_path: Path) -> None:
    """Wherever it is cut: within a row, a line break, or a letter of two bytes."""
    rows = [("é", "1 2"), ("ü", "3 4"), ("☃", "5 6")]
    text = end.join(["id,x", *(",".join(row) for row in rows), ""]).encode(encoding)
    path = write(tmp_path / "t.csv", text)
    header = len(f"id,x{end}".encode(encoding))
    for most in range(header, len(text) + 3):
        table = open_table(path, COLUMNS, most)
        found = list(zip(table["id"], table["x"], strict=True))
        assert found == rows[: len(found)]
        assert not table.ends_in_mid_line
    assert len(found) == len(rows)
