"""Bytes that were lost or altered: named by `verify`, never read as good, made again."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.choices import Codec
from pipeline.errors import ArtefactError
from pipeline.maps import MapStore
from pipeline.maps.files import StoreFiles
from tests.helpers.small_stores import IDS, contents, create, fill, shapes, soft_map

CODECS: list[Codec] = ["raw", "blosc2"]


def flip(path: Path, position: int, bit: int = 0) -> None:
    with path.open("r+b") as stream:
        stream.seek(position)
        byte = stream.read(1)[0]
        stream.seek(position)
        stream.write(bytes([byte ^ (1 << bit)]))


def data_file(folder: Path) -> Path:
    return next(folder.glob("maps.*"))


def slots(store: MapStore) -> list[tuple[int, int]]:
    """(first byte, bytes) of each map."""
    files = StoreFiles(store.folder, writable=False)
    return [(int(files.codec.starts[i]), files.records.length(i)) for i in range(len(IDS))]


def mend(folder: Path, codec: Codec) -> None:
    """What `make verify` and the next `make infer` do."""
    store = MapStore.open(folder)
    store.reset([problem.id for problem in store.verify()])
    fill(create(folder, codec=codec))


@pytest.mark.parametrize("codec", CODECS)
def test_all_damaged_maps_are_made_again_together(tmp_path: Path, codec: Codec) -> None:
    """A region of zeros, or the records of another run, damages thousands of maps at once."""
    fill(create(tmp_path, codec=codec))
    whole = contents(tmp_path)
    hit = [1, 2, len(IDS) - 1]
    for row in hit:
        flip(data_file(tmp_path), slots(MapStore.open(tmp_path))[row][0])
    reader = MapStore.open(tmp_path)
    with pytest.raises(ArtefactError, match=f"map '{IDS[1]}' and 2 more of .* are damaged"):
        reader.read_raw(IDS[1])
    assert MapStore.open(tmp_path).pending() == [IDS[row] for row in hit]
    fill(create(tmp_path, codec=codec))
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("codec", CODECS)
def test_a_flipped_bit_is_found_in_any_place(tmp_path: Path, codec: Codec) -> None:
    fill(create(tmp_path, codec=codec))
    whole = contents(tmp_path)
    chance = random.Random(1)
    for row, (start, length) in enumerate(slots(MapStore.open(tmp_path))):
        for position in (start, start + length - 1, start + chance.randrange(length)):
            flip(data_file(tmp_path), position, chance.randrange(8))
            problems = list(MapStore.open(tmp_path).verify())
            assert [(p.id, p.reason) for p in problems] == [(IDS[row], "altered")]
            mend(tmp_path, codec)
            assert contents(tmp_path) == whole


def test_an_altered_raw_map_is_not_read(tmp_path: Path) -> None:
    fill(create(tmp_path))
    whole = contents(tmp_path)
    before = MapStore.open(tmp_path)
    assert before.read_raw(IDS[3]) is not None
    flip(data_file(tmp_path), slots(before)[3][0] + 4)
    store = MapStore.open(tmp_path)
    with pytest.raises(ArtefactError, match="is damaged; run the same command"):
        store.read_raw(IDS[3])
    assert store.read_raw(IDS[4]) is not None
    assert create(tmp_path).pending() == [IDS[3]], "the next run makes it again"
    fill(create(tmp_path))
    assert contents(tmp_path) == whole


def test_a_damaged_map_that_another_process_writes_is_left_to_it(tmp_path: Path) -> None:
    fill(create(tmp_path))
    writer, reader = create(tmp_path), MapStore.open(tmp_path)
    flip(data_file(tmp_path), slots(reader)[3][0] + 4)
    with writer.claim([IDS[3]]), pytest.raises(ArtefactError, match="is damaged"):
        reader.read_raw(IDS[3])
    assert reader.pending() == []


def test_a_map_written_again_is_looked_at_again(tmp_path: Path) -> None:
    store = create(tmp_path)
    fill(store)
    assert store.read_raw(IDS[3]) is not None
    store.write({IDS[3]: soft_map(shapes(IDS)[3], salt="other")})
    flip(data_file(tmp_path), slots(store)[3][0] + 4)
    with pytest.raises(ArtefactError, match="is damaged"):
        store.read_raw(IDS[3])


def test_the_content_of_a_store_is_that_of_its_maps(tmp_path: Path) -> None:
    """Not the day or the order in which they were made; other bytes of one map are another."""
    first = create(tmp_path / "a")
    empty = first.content
    fill(first)
    again = create(tmp_path / "b")
    fill(again, batch=1)
    assert first.content == again.content == MapStore.open(tmp_path / "a").content != empty
    again.write({IDS[2]: soft_map(shapes(IDS)[2], salt="other")})
    assert again.content != first.content
    assert np.array_equal(again.read_raw(IDS[1]), first.read_raw(IDS[1]))


def test_altered_packed_maps_are_never_unpacked(tmp_path: Path) -> None:
    fill(create(tmp_path, codec="blosc2"))
    flip(data_file(tmp_path), slots(MapStore.open(tmp_path))[3][0] + 4)
    with pytest.raises(ArtefactError, match="is damaged; run the same command"):
        MapStore.open(tmp_path).read(IDS[3])


@pytest.mark.parametrize("codec", CODECS)
def test_truncation_is_found_and_the_rest_stays_readable(tmp_path: Path, codec: Codec) -> None:
    fill(create(tmp_path, codec=codec))
    whole = contents(tmp_path)
    store = MapStore.open(tmp_path)
    kept = store.read(IDS[4]).copy()
    start, length = slots(store)[5]
    del store
    os.truncate(data_file(tmp_path), start + length // 2)
    store = MapStore.open(tmp_path)
    assert [(p.id, p.reason) for p in store.verify()] == [(id, "truncated") for id in IDS[5:]]
    assert (store.read(IDS[4]) == kept).all()
    for id in IDS[5:]:
        with pytest.raises(ArtefactError, match=r"damaged|not done"):
            store.read(id)
    # The next run needs no `verify` to notice: the file is shorter than it was laid out.
    resumed = create(tmp_path, codec=codec)
    assert resumed.pending() == IDS[5:]
    fill(resumed)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("codec", CODECS)
def test_a_data_file_that_is_gone(tmp_path: Path, codec: Codec) -> None:
    fill(create(tmp_path, codec=codec))
    whole = contents(tmp_path)
    data_file(tmp_path).unlink()
    assert [p.id for p in MapStore.open(tmp_path).verify()] == IDS
    fill(create(tmp_path, codec=codec))
    assert contents(tmp_path) == whole


def test_an_altered_length_is_found_without_reading_all(tmp_path: Path) -> None:
    fill(create(tmp_path))
    records = (tmp_path / "records.npy").stat().st_size
    flip(tmp_path / "records.npy", records - 16 * 3, 1)  # the third from the end
    with pytest.raises(ArtefactError, match="damaged"):
        MapStore.open(tmp_path).read(IDS[-3])
    assert [problem.id for problem in MapStore.open(tmp_path).verify()] == [IDS[-3]]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bit", [0, 2, 31, 40, 62, 63])
@pytest.mark.parametrize("row", [0, 3, len(IDS) - 1])
def test_a_length_that_cannot_be_is_found_by_all(
    tmp_path: Path, codec: Codec, bit: int, row: int
) -> None:
    """`verify`, a reader and the next run agree; the last row is where a slot ends the file."""
    fill(create(tmp_path, codec=codec))
    whole = contents(tmp_path)
    start = (tmp_path / "records.npy").stat().st_size - 16 * (len(IDS) - row)
    flip(tmp_path / "records.npy", start + bit // 8, bit % 8)
    store = MapStore.open(tmp_path)
    assert [problem.id for problem in store.verify()] == [IDS[row]]
    assert store.pending() in ([IDS[row]], [])  # of a packed map, only a reader can tell
    with pytest.raises(ArtefactError, match="damaged"):
        store.read(IDS[row])
    assert create(tmp_path, codec=codec).pending() == [IDS[row]]
    fill(create(tmp_path, codec=codec))
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("codec", CODECS)
def test_a_done_bit_on_a_record_that_was_never_written(tmp_path: Path, codec: Codec) -> None:
    fill(create(tmp_path / "whole", codec=codec))
    folder = tmp_path / "half"
    create(folder, codec=codec).write({each.id: soft_map(each) for each in shapes(IDS)[:4]})
    flip(folder / "records.npy", (folder / "records.npy").stat().st_size - 16 * 2 + 12)
    store = MapStore.open(folder)
    assert store.pending() == IDS[4:]
    assert [problem.id for problem in store.verify()] == IDS[4:]
    with pytest.raises(ArtefactError, match="damaged"):
        store.read(IDS[-2])
    fill(create(folder, codec=codec))
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"uint8"', '"uint16"'),
        ('"car"', '"cab"'),
        ('"raw"', '"blosc2"'),
        ('"f1"', '"f2"'),
        ('"probability"', '"weighted sum"'),
        ('"weights": {}', '"weights": {"a": 1}'),
    ],
)
def test_a_header_that_reads_well_and_was_altered(tmp_path: Path, old: str, new: str) -> None:
    fill(create(tmp_path))
    header = tmp_path / "header.json"
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(ArtefactError, match=r"header.json was altered; run `make infer`"):
        MapStore.open(tmp_path)


def test_a_header_of_an_earlier_version_has_no_seal(tmp_path: Path) -> None:
    fill(create(tmp_path))
    content = json.loads((tmp_path / "header.json").read_text())
    del content["seal"]
    (tmp_path / "header.json").write_text(json.dumps(content))
    assert create(tmp_path).is_complete


def test_missing_maps_are_problems_too(tmp_path: Path) -> None:
    store = create(tmp_path)
    fill(store)
    store.reset(["NA"])
    assert [str(problem) for problem in MapStore.open(tmp_path).verify()] == ["NA: missing"]


@pytest.mark.parametrize("name", ["header.json", "index.csv", "records.npy", "maps.npy"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_a_cut_file_is_named_and_mended(tmp_path: Path, name: str, keep: float) -> None:
    fill(create(tmp_path))
    whole = contents(tmp_path)
    os.truncate(tmp_path / name, int(keep * (tmp_path / name).stat().st_size))
    if name == "maps.npy":
        assert list(MapStore.open(tmp_path).verify())
    else:
        with pytest.raises(ArtefactError, match=name):
            MapStore.open(tmp_path)
    if name == "header.json":
        with pytest.raises(ArtefactError, match="to regenerate its maps"):
            create(tmp_path)
        shutil.rmtree(tmp_path)
    fill(create(tmp_path))
    assert contents(tmp_path) == whole


def test_a_flipped_bit_in_any_other_file(tmp_path: Path) -> None:
    """Wherever it is, the store is refused, or the maps concerned are named, or nothing is lost."""
    fill(create(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    chance = random.Random(2)
    for name in ("index.csv", "records.npy", "maps.npy"):
        for turn in range(8):
            folder = tmp_path / f"{name} {turn}"
            shutil.copytree(tmp_path / "whole", folder)
            flip(folder / name, chance.randrange(min(len(whole[name]), 128 + 64)), turn)
            try:
                mend(folder, "raw")
            except ArtefactError as error:
                assert name in str(error)
                fill(create(folder))
            assert contents(folder) == whole


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    fill(create(tmp_path))
    header = tmp_path / "header.json"
    header.write_text(header.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(ArtefactError, match="has format 3, and this version reads 1 and 2"):
        MapStore.open(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"uint8"', '"uint9"', "dtype: "),
        ('"raw"', '"row"', "codec: "),
        ('"probability"', '"logits"', "kind: "),
        ("{", "[", "the text: "),
        ('"car"', '"ca\udcff"', "the text: "),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    create(tmp_path)
    text = (tmp_path / "header.json").read_text().replace(old, new)
    (tmp_path / "header.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtefactError, match=rf"header.json is damaged .*\({words}"):
        MapStore.open(tmp_path)


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"no map store at .*run `make infer`"):
        MapStore.open(tmp_path / "nowhere")
