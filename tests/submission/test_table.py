"""A submission has the sample file's header, ids and order, and says what was meant, or is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.errors import DataError
from pipeline.submission.cells import Cells
from pipeline.submission.planes import Shape
from pipeline.submission.rows import Row, TableHeader, plan_rows
from pipeline.submission.table import lines_of, write_checked
from tests.helpers.data_folders import write

SIZE = (6, 8)
HEADER = TableHeader.of(("id", "rle_mask"))
Runs = NDArray[np.int64]


def blocks(number: int) -> NDArray[np.bool_]:
    """A mask that is another one for another number, empty for 0 and full for 1."""
    if number < 2:
        return np.full(SIZE, bool(number))
    return np.random.default_rng(number).random(SIZE) < 0.5


def send(
    path: Path, masks: dict[str, list[NDArray[np.bool_]]], size: Any = SIZE, **keys: Any
) -> SubmissionConfig:
    """Write the submission of some masks by key, several of them as one line each."""
    settings_ = SubmissionConfig(**keys)
    rows = [Row(key, key.partition(".")[0], 0) for key in masks]
    shapes: Callable[[Row], Sequence[Shape]] = lambda row: [  # noqa: E731
        Shape(rle.runs_of(mask, settings_.order)) for mask in masks[row.key]
    ]
    write_checked(path, HEADER, rows, shapes, Cells(settings_), lambda _: size)
    return settings_


def read_submission(path: Path) -> list[tuple[str, str]]:
    return [(key, text) for key, text in lines_of(path)]


# ------------------------------------------------------------------------------ which rows


def test_without_a_sample_file_rows_follow_the_ids(tmp_path: Path) -> None:
    keys = SubmissionConfig(key="{id}.jpg", columns=("img", "mask"))
    rows, header = plan_rows(keys, tmp_path, ["b", "a"], ["car"])
    assert rows == [Row("b.jpg", "b", 0), Row("a.jpg", "a", 0)]
    assert header.names == ("img", "mask")


def test_a_row_a_class_names_its_plane(tmp_path: Path) -> None:
    keys = SubmissionConfig(key="{id}.jpg_{class}", rows="class")
    rows, _ = plan_rows(keys, tmp_path, ["b", "a"], ["Fish", "Sugar"])
    assert [(row.key, row.id, row.plane) for row in rows] == [
        ("b.jpg_Fish", "b", 0), ("b.jpg_Sugar", "b", 1),
        ("a.jpg_Fish", "a", 0), ("a.jpg_Sugar", "a", 1),
    ]  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(st.text("abz01_-", min_size=1, max_size=6), unique=True, min_size=1, max_size=9),
    st.randoms(),
)
def test_with_a_sample_file_its_header_ids_and_order_count(ids: list[str], random: Any) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        asked = [f"{each}.jpg" for each in random.sample(ids, len(ids))]
        lines = "\n".join(f"{each},1 1" for each in asked)
        write(Path(folder) / "s.csv", f"ImageId,EncodedPixels\n{lines}\n")
        keys = SubmissionConfig(sample=Path("s.csv"), key="{id}.jpg", columns=("x", "y"))
        rows, header = plan_rows(keys, Path(folder), ids, ["car"])
    assert [row.key for row in rows] == asked
    assert [row.id for row in rows] == [each.removesuffix(".jpg") for each in asked]
    assert header.names == ("ImageId", "EncodedPixels")


@pytest.mark.parametrize("placeholder", ["", "-1", "1 1", "1 409600", "-"])
def test_placeholders_of_the_sample_file_say_nothing(placeholder: str, tmp_path: Path) -> None:
    write(tmp_path / "s.csv", f"id,rle\nb,{placeholder}\na,{placeholder}\nb,{placeholder}\n")
    keys = SubmissionConfig(sample=Path("s.csv"), rows="instance")
    rows, header = plan_rows(keys, tmp_path, ["a", "b"], ["car"])
    assert [row.key for row in rows] == ["b", "a"]
    assert header.names == ("id", "rle")


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ("id,rle\na,\nb,\n../x,\n", r"s\.csv asks for \.\./x, for which there is no test image"),
        ("id,rle\na.jpg,\nb.jpg,\n", r"asks for a\.jpg, b\.jpg.*look like 'a' \(submission\.key"),
        ("id,rle\na,\n", r"s\.csv does not ask for b; do these test images belong"),
        ("id\na\nb\n", r"s\.csv has the header \['id'\]"),
        ("id,class,rle\na,1,\nb,1,\n", r"s\.csv has the header \['id', 'class', 'rle'\]"),
        ("", r"s\.csv cannot be read as CSV"),
        (None, r"s\.csv is missing"),
    ],
)
def test_a_sample_file_of_other_images_is_refused(
    sample: str | None, says: str, tmp_path: Path
) -> None:
    if sample is not None:
        write(tmp_path / "s.csv", sample)
    with pytest.raises(DataError, match=says):
        plan_rows(SubmissionConfig(sample=Path("s.csv")), tmp_path, ["a", "b"], ["car"])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("sample", "keys"),
    [
        ("id, rle\nt2,1 1\nt0,\nt1,\nt1,\n", {}),
        ('"id","rle, or so"\nt2,1 1\n"t0",\nt1,\n', {}),
        ("id;rle\nt2;1 1\nt0;\nt1;\n", {}),
        ("id\trle\nt2 \t1 1\n t0\t\nt1\t\n", {}),
        ("rle,id\n1 1,t2\n,t0\n,t1\n", {"columns": ["id", "rle"]}),
        ("id,n, rle\nt2,a,1 1\nt0,a,\nt1,a,\n", {"class": "n", "rows": "class"}),
    ],
)
def test_the_sample_is_kept_as_it_is_written(
    sample: str, keys: dict[str, Any], mark: str, ending: str, tmp_path: Path
) -> None:
    """Header, delimiter, keys, order and repeated rows; but no mark, and lines end in LF."""
    write(tmp_path / "ss.csv", mark + sample.replace("\n", ending))
    wanted = SubmissionConfig.model_validate({"sample": "ss.csv", "empty": "-1", **keys})
    rows, header = plan_rows(wanted, tmp_path, ["t0", "t1", "t2"], ["a"])
    assert sorted({row.id for row in rows}) == ["t0", "t1", "t2"]
    shapes: Callable[[Row], Sequence[Shape]] = lambda row: [  # noqa: E731
        Shape(rle.runs_of(blocks(int(row.id[1])), wanted.order))
    ]
    write_checked(tmp_path / "sent.csv", header, rows, shapes, Cells(wanted), lambda _: SIZE)
    sent = (tmp_path / "sent.csv").read_bytes().decode().split("\n")
    assert sent[0] == sample.split("\n")[0]
    full, nothing = f"1 {SIZE[0] * SIZE[1]}", "-1"
    masks = {"t0": nothing, "t1": full, "t2": rle.encode(blocks(2), wanted.order)}
    read = pd.read_csv(tmp_path / "ss.csv", sep=header.delimiter, dtype=str, keep_default_na=False)
    told = pd.read_csv(tmp_path / "sent.csv", sep=header.delimiter, dtype=str)
    at = header.names.index("rle") if "rle" in header.names else 1
    assert told.drop(columns=told.columns[at]).equals(read.drop(columns=read.columns[at]))
    ids = told.iloc[:, header.names.index("id")].str.strip()
    assert told.iloc[:, at].tolist() == [masks[each] for each in ids]


@pytest.mark.parametrize("sample_id", ["a,b", 'a"b', " a", "=1+1", "'", "{class}", "1e5", "NA"])
def test_odd_ids_are_sent_as_they_are(sample_id: str, tmp_path: Path) -> None:
    rows, header = plan_rows(SubmissionConfig(), tmp_path, [sample_id], ["car"])
    write_checked(
        tmp_path / "s.csv", header, rows, lambda _: [], Cells(SubmissionConfig()), lambda _: SIZE
    )
    assert list(read_submission(tmp_path / "s.csv")) == [(sample_id, "")]


@pytest.mark.parametrize("header", ["ImageId,ClassId,Mask", "ImageId,Mask,ClassId"])
def test_a_class_may_have_a_column_of_its_own(header: str, tmp_path: Path) -> None:
    """The sample says where; the file is read back by it."""
    wanted = [("b", "2"), ("a", "1"), ("b", "1"), ("a", "2")]
    at = header.split(",").index("ClassId")
    lines = [
        ",".join([key, *([name, "1 1"] if at == 1 else ["1 1", name])]) for key, name in wanted
    ]
    write(tmp_path / "s.csv", "\n".join([header, *lines]) + "\n")
    keys = SubmissionConfig.model_validate(
        {"sample": "s.csv", "rows": "class", "class": "ClassId", "empty": "-1"}
    )
    rows, columns = plan_rows(keys, tmp_path, ["a", "b"], ["1", "2"])
    assert [row.cells for row in rows] == wanted
    assert [row.plane for row in rows] == [1, 0, 0, 1]
    masks = {row.cells: blocks(number) for number, row in enumerate(rows)}
    path = tmp_path / "sent.csv"
    write_checked(
        path,
        columns,
        rows,
        lambda row: [Shape(rle.runs_of(masks[row.cells], keys.order))],
        Cells(keys),
        lambda _: SIZE,
    )
    sent = pd.read_csv(path, dtype=str)
    assert sent.columns.tolist() == header.split(",")
    assert list(zip(sent["ImageId"], sent["ClassId"], strict=True)) == wanted
    expected = [rle.encode(masks[key], keys.order) or "-1" for key in wanted]
    assert sent["Mask"].tolist() == expected


def test_without_a_sample_the_class_stands_between_id_and_mask(tmp_path: Path) -> None:
    keys = SubmissionConfig.model_validate(
        {"columns": ["id", "predicted"], "rows": "class", "class": "class"}
    )
    rows, header = plan_rows(keys, tmp_path, ["a"], ["x", "y"])
    assert header.names == ("id", "class", "predicted")
    assert [row.cells for row in rows] == [("a", "x"), ("a", "y")]


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ("id,rle\na,\n", r"header \['id', 'rle'\]; with submission\.class: class it has"),
        ("id,label,rle\na,1,\n", r"with submission\.class: class it has that column"),
        ("id,class,rle\na,9,\n", r"asks for a of class 9, .* look like 'a' of class 'x'"),
        ("id,class,rle\na,x,\n", r"does not ask for a of class y"),
    ],
)
def test_a_sample_with_other_classes_is_refused(sample: str, says: str, tmp_path: Path) -> None:
    write(tmp_path / "s.csv", sample)
    keys = SubmissionConfig.model_validate({"sample": "s.csv", "rows": "class", "class": "class"})
    with pytest.raises(DataError, match=says):
        plan_rows(keys, tmp_path, ["a"], ["x", "y"])


def test_keys_that_meet_are_refused(tmp_path: Path) -> None:
    keys = SubmissionConfig(key="{id}_{class}", rows="class")
    with pytest.raises(
        DataError, match=r"submission\.key: .* gives two \(image, class\) pairs the same"
    ):
        plan_rows(keys, tmp_path, ["a", "a_b"], ["c", "b_c"])


# ------------------------------------------------------------------------------ what is sent


@pytest.mark.parametrize("order", ["row", "column"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("empty", ["", "-1", "-"])
def test_what_is_written_is_what_was_meant(
    order: rle.Order, relative: bool, empty: str, tmp_path: Path
) -> None:
    masks = {f"i{number}.jpg": [blocks(number)] for number in (3, 0, 1, 7, 2)}
    path = tmp_path / "new/s.csv"
    send(path, masks, order=order, relative=relative, empty=empty)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert tuple(table.columns) == HEADER.names
    assert table["id"].tolist() == list(masks)
    assert table["rle_mask"][1] == empty
    for (mask,), text in zip(masks.values(), table["rle_mask"], strict=True):
        back = rle.decode("" if text == empty else text, SIZE, order, relative=relative)
        assert np.array_equal(back, mask)
    assert list(read_submission(path)) == list(table.itertuples(index=False, name=None))
    assert [each.name for each in path.parent.iterdir()] == ["s.csv"]


def test_instances_are_a_line_each_and_none_is_one_empty_line(tmp_path: Path) -> None:
    send(tmp_path / "s.csv", {"a": [blocks(1), blocks(5)], "b": [], "c": [blocks(2)]})
    lines = list(read_submission(tmp_path / "s.csv"))
    assert [key for key, _ in lines] == ["a", "a", "b", "c"]
    assert lines[2] == ("b", "")
    assert lines[0] == ("a", "1 48")


def test_keys_with_commas_and_quotes_come_back(tmp_path: Path) -> None:
    keys = ['a,b"c', "ü x", "'", "1e5", "NA"]
    send(tmp_path / "s.csv", {key: [blocks(4)] for key in keys})
    assert [key for key, _ in read_submission(tmp_path / "s.csv")] == keys


def test_a_mask_of_very_many_runs_fits_in_a_line(tmp_path: Path) -> None:
    size = (400, 400)
    chess = np.indices(size).sum(axis=0) % 2 == 0
    send(tmp_path / "s.csv", {"a": [chess]}, size=size, order="row")
    ((_, text),) = read_submission(tmp_path / "s.csv")
    assert len(text) > 131_072  # where the csv module stops by itself
    assert np.array_equal(rle.decode(text, size, "row"), chess)


CORRUPTIONS: dict[str, Callable[[str], str]] = {
    "a number more": lambda text: text + " 1",
    "cut": lambda text: text[: len(text) // 2],
    "nothing": lambda text: "",
    "another length": lambda text: text.replace(" ", " 1", 1),
    "no numbers": lambda text: "nan",
    "a run of nothing": lambda text: text + " 48 0",
    "past the end": lambda text: text + " 60 1",
    "from 0": lambda text: " ".join(
        str(int(each) - (place % 2 == 0)) for place, each in enumerate(text.split())
    ),
    "not sorted": lambda text: " ".join(text.split()[2:] + text.split()[:2]),
    "quoted": lambda text: f'"{text}',
    "a comma": lambda text: text.replace(" ", ",", 1),
    "a line more": lambda text: text + "\nx,1 1",
}


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("old", [None, "the old file"])
def test_a_line_that_says_something_else_is_never_sent(
    name: str, old: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.csv"
    if old is not None:
        path.write_text(old)
    honest, written = rle.to_text, []

    def corrupt(runs: Runs, *, relative: bool = False) -> str:
        text = honest(runs, relative=relative)
        written.append(text)
        return CORRUPTIONS[name](text) if len(written) == 3 else text

    monkeypatch.setattr(rle, "to_text", corrupt)
    with pytest.raises(
        DataError, match=r"line 4 \('c'\) does not decode to the mask that was encoded"
    ):
        send(path, {key: [blocks(number)] for number, key in enumerate("abcd", start=2)})
    assert [each.read_text() for each in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_mask_larger_than_its_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2 \('a'\) does not decode"):
        send(tmp_path / "s.csv", {"a": [np.ones((7, 8), bool)]})
    send(tmp_path / "s.csv", {"a": [np.ones(SIZE, bool)]})


def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def broken(row: Row) -> list[Shape]:
        if row.key == "b":
            raise DataError("no map of b")
        return [Shape(rle.runs_of(blocks(3), "row"))]

    rows = [Row(key, key, 0) for key in "abc"]
    with pytest.raises(DataError, match="no map of b"):
        cells = Cells(SubmissionConfig())
        write_checked(tmp_path / "s.csv", HEADER, rows, broken, cells, lambda _: SIZE)
    assert list(tmp_path.iterdir()) == []


def test_lines_are_counted_not_images(tmp_path: Path) -> None:
    """An image without objects has one line as well."""
    rows = [Row(key, key, 0) for key in "abc"]
    found = dict(zip("abc", (3, 0, 1), strict=True))
    keys, path = SubmissionConfig(rows="instance"), tmp_path / "sent.csv"
    shapes = [Shape(rle.runs_of(blocks(number), keys.order)) for number in (2, 3, 4)]
    count = write_checked(
        path, HEADER, rows, lambda row: shapes[: found[row.key]], Cells(keys), lambda _: SIZE
    )
    assert count == 5 == len(pd.read_csv(path))


def test_lines_that_go_missing_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.submission import table

    class Forgetful(table.TextStream):
        def write(self, text: str) -> int:
            return 0 if text.startswith("b") else super().write(text)

    monkeypatch.setattr(table, "TextStream", Forgetful)
    with pytest.raises((DataError, ValueError)):
        send(tmp_path / "s.csv", {key: [blocks(3)] for key in "abc"})
    assert list(tmp_path.iterdir()) == []
