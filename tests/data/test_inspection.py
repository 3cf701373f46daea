"""Every sample is read once, read again when it changed, and its problem is kept as text."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.config import DataConfig
from pipeline.data import inspection
from pipeline.data.catalog import list_samples
from pipeline.data.inspection import Record, as_row, from_row, inspect
from pipeline.errors import DataError
from tests.helpers.data_folders import CLASSES, config, encoded, save, smooth, write

BLOCK = np.zeros((24, 36), np.uint8)
BLOCK[:12, :9] = 1
Known = dict[tuple[str, str], Record]


def draw(root: Path, *ids: str, part: str = "images") -> None:
    for number, sample_id in enumerate(ids):
        save(root / part / f"{sample_id}.png", smooth(seed=number))
        if part == "images":
            save(root / "masks" / f"{sample_id}.png", BLOCK)


def look(data: DataConfig, known: Known | None = None) -> Known:
    records = inspect(list_samples(data), data, known or {}, lambda _: None, threads=2)
    return {(record.part, record.id): record for record in records}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each image was read."""
    counts: Counter[str] = Counter()
    original = inspection.read_bytes

    def counting(path: Path) -> bytes:
        counts[path.name] += 1
        return original(path)

    monkeypatch.setattr(inspection, "read_bytes", counting)
    return counts


def test_a_record_holds_size_and_coverage(tmp_path: Path) -> None:
    draw(tmp_path, "a", "b")
    draw(tmp_path, "t", part="test")
    records = look(config(tmp_path, test="test/{id}.png"))
    assert list(records) == [("train", "a"), ("train", "b"), ("test", "t")]
    assert (records["train", "a"].height, records["train", "a"].width) == (24, 36)
    assert records["train", "a"].shares == (0.125,)
    assert records["test", "t"].shares == ()
    assert len({record.digest for record in records.values()}) == 3


def test_coverage_is_of_valid_pixels_and_by_class(tmp_path: Path) -> None:
    draw(tmp_path, "a")
    values = BLOCK * np.uint8(2)
    values[12:] = 255
    save(tmp_path / "masks/a.png", values)
    (record,) = look(config(tmp_path, classes=CLASSES, void=255)).values()
    assert record.shares == (0, 0.25, 0)
    save(tmp_path / "masks/a.png", np.full_like(BLOCK, 255))
    (record,) = look(config(tmp_path, classes=CLASSES, void=255)).values()
    assert record.shares == (0, 0, 0)


def test_only_what_changed_is_read_again(tmp_path: Path, reads: Counter[str]) -> None:
    draw(tmp_path, "a", "b", "c", "d")
    draw(tmp_path, "t", part="test")
    data = config(tmp_path, test="test/{id}.png")
    first = look(data)
    assert set(reads.values()) == {1}
    reads.clear()
    assert look(data, first) == first
    assert not reads
    save(tmp_path / "images/b.png", smooth(seed=9))
    save(tmp_path / "masks/c.png", 1 - BLOCK)
    draw(tmp_path, "e")
    (tmp_path / "images/d.png").unlink()
    second = look(data, first)
    assert reads == {"b.png": 1, "c.png": 1, "e.png": 1}
    assert [key[1] for key in second] == ["a", "b", "c", "e", "t"]
    changed = {key[1] for key in first if key in second and first[key] != second[key]}
    assert changed == {"b", "c"}
    assert second["train", "c"].shares == (0.875,)


def test_a_touched_file_is_read_again_and_is_the_same(tmp_path: Path, reads: Counter[str]) -> None:
    draw(tmp_path, "a")
    data = config(tmp_path)
    first = look(data)
    os.utime(tmp_path / "images/a.png", (1, 1))
    second = look(data, first)
    assert reads["a.png"] == 2
    assert second["train", "a"].digest == first["train", "a"].digest


def test_problems_are_looked_at_again_though_nothing_changed(
    tmp_path: Path, reads: Counter[str]
) -> None:
    draw(tmp_path, "a", "b")
    (tmp_path / "masks/a.png").unlink()
    data = config(tmp_path)
    first = look(data)
    assert "no mask matches" in first["train", "a"].problem
    assert first["train", "a"].stamp
    reads.clear()
    assert look(data, first) == first
    assert reads == {"a.png": 1}


def test_every_broken_sample_has_its_own_record(tmp_path: Path) -> None:
    draw(tmp_path, *"abcdef")
    write(tmp_path / "images/a.png", b"")
    whole = (tmp_path / "images/b.png").read_bytes()
    write(tmp_path / "images/b.png", whole[: len(whole) // 2])
    write(tmp_path / "images/c.png", b"no picture")
    save(tmp_path / "masks/d.png", BLOCK[:-1])
    save(tmp_path / "masks/e.png", smooth())
    records = look(config(tmp_path))
    problems = [record.problem for record in records.values()]
    for problem, says in zip(
        problems,
        ["a.png is empty", "b.png cannot be decoded", "c.png is not an image", "d.png is 36×23",
         "e.png is a colour image", ""],
        strict=True,
    ):  # fmt: skip
        assert says in problem
    assert not problems[-1]
    assert records["train", "a"].shares == ()


def test_sixteen_bits_that_are_hardly_used_are_told(tmp_path: Path) -> None:
    """Twelve bits in sixteen, as cameras write them, leave 16 gray levels of 256."""
    draw(tmp_path, "a", "b", "c")
    ramp = np.linspace(0, 1, 24 * 36).reshape(24, 36)
    for name, most in [("a", 2**12 - 1), ("b", 2**16 - 1)]:
        save(tmp_path / f"images/{name}.png", (ramp * most).astype(np.uint16))
    records = look(config(tmp_path))
    told = {key: record.note for (_, key), record in records.items()}
    assert "16 bits, of which the highest 4 are not used: 17 of 256 gray level(s)" in told["a"]
    assert "\n" in told["a"] and "; multiply" in told["a"], "one note with a semicolon in it"
    assert "highest" not in told["b"] and told["c"] == ""


def test_an_image_that_only_eight_bits_make_constant_is_not_called_constant(
    tmp_path: Path,
) -> None:
    """Values 0 … 100 of 65535 are one gray level of 256."""
    draw(tmp_path, "a", "b")
    faint = np.linspace(0, 100, 24 * 36).reshape(24, 36).astype(np.uint16)
    save(tmp_path / "images/a.png", faint)
    save(tmp_path / "images/b.png", np.full_like(faint, 7))
    notes = {key: record.note for (_, key), record in look(config(tmp_path)).items()}
    assert "the highest 9 are not used: 1 of 256" in notes["a"] and "constant" not in notes["a"]
    assert "constant image" in notes["b"]


def test_notes_tell_what_is_odd_but_readable(tmp_path: Path) -> None:
    draw(tmp_path, *"abcd")
    rotated = Image.Exif()
    rotated[0x0112] = 3
    image = Image.fromarray(smooth())
    write(tmp_path / "images/a.png", encoded(image, "JPEG", exif=rotated))
    write(tmp_path / "images/b.png", encoded(image.convert("CMYK"), "JPEG"))
    save(tmp_path / "images/c.png", np.full((24, 36), 9, np.uint8))
    records = look(config(tmp_path))
    notes = [record.note for record in records.values()]
    turned = "turned by EXIF: read, and submitted, as viewers show it (data.exif)"
    assert notes == [turned, "CMYK read as RGB", "constant image", ""]


@pytest.mark.parametrize("classes", [["cat"], CLASSES])
def test_a_mask_that_is_turned_unlike_its_image_is_told(classes: Any, tmp_path: Path) -> None:
    draw(tmp_path, "a", "b", "c")
    turned = Image.Exif()
    turned[0x0112] = 3
    for name in "ab":
        write(tmp_path / f"masks/{name}.png", encoded(Image.fromarray(BLOCK), "PNG", exif=turned))
    for name in "bc":
        image = encoded(Image.fromarray(smooth()), "PNG", exif=turned)
        write(tmp_path / f"images/{name}.png", image)
    notes = {each.id: each.note for each in look(config(tmp_path, classes=classes)).values()}
    says = "mask: EXIF turns it (orientation 3), not its image"
    assert {name: says in note for name, note in notes.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }
    stored = look(config(tmp_path, classes=classes, exif="ignore"))
    assert says not in stored["train", "a"].note


def test_the_digest_tells_apart_what_stages_are_made_from(tmp_path: Path) -> None:
    draw(tmp_path, "a")
    keys: dict[str, Any] = {"masks": "masks/{id}_*.png"}
    (tmp_path / "masks/a.png").unlink()

    def digest(*masks: np.ndarray) -> str:
        for number, mask in enumerate(masks):
            save(tmp_path / f"masks/a_{number}.png", mask)
        return look(config(tmp_path, **keys))["train", "a"].digest

    upper, lower = BLOCK.copy(), BLOCK.copy()
    upper[6:], lower[:6] = 0, 0
    whole = digest(BLOCK)
    assert digest(BLOCK * np.uint8(255)) == whole
    assert digest(upper, lower) != whole  # the same pixels, other objects
    save(tmp_path / "refs/a.png", smooth(seed=1))
    keys["reference"] = "refs/{id}.png"
    with_reference = digest(upper, lower)
    save(tmp_path / "refs/a.png", smooth(seed=2))
    assert digest(upper, lower) != with_reference


def test_a_table_of_masks_that_is_no_good_is_one_error(tmp_path: Path) -> None:
    draw(tmp_path, *"abc")
    data = config(tmp_path, masks={"csv": "train.csv"})
    with pytest.raises(DataError, match=r"train\.csv is missing"):
        look(data)
    write(tmp_path / "train.csv", "ImageId,EncodedPixels\na,1 3\nb,\nc,x\n")
    records = look(data)
    assert [record.problem[:28] for record in records.values()] == [
        "",
        "",
        "train.csv, line 4, row 'c': ",
    ]
    write(tmp_path / "train.csv", "ImageId,EncodedPixels\na,1 4\nb,\nc,1 1\n")
    again = look(data, records)
    assert again["train", "a"].digest != records["train", "a"].digest


def test_a_record_survives_a_csv(tmp_path: Path) -> None:
    record = Record(
        "NA", "train", "0012", "1e5", 3, 4, "0 1e-09", "x; y", 'a "quoted", odd\nproblem é'
    )
    pd.DataFrame([as_row(record), as_row(Record("a", "test", "s"))]).to_csv(
        tmp_path / "index.csv", index=False
    )
    rows = pd.read_csv(tmp_path / "index.csv", dtype=str, keep_default_na=False)
    assert [from_row(row) for row in rows.to_dict("records")] == [record, Record("a", "test", "s")]


def test_progress_counts_every_read_sample(tmp_path: Path) -> None:
    draw(tmp_path, *"abcde")
    data = config(tmp_path)
    steps: list[int] = []
    inspect(list_samples(data), data, {}, steps.append, threads=2)
    assert sum(steps) == 5
