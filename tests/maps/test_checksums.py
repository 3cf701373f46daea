"""The checksum of a map belongs to the format of its store, and stores of both formats live on."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xxhash

from pipeline.errors import ArtefactError
from pipeline.maps import Accumulator, MapStore
from pipeline.maps import header as headers
from pipeline.maps.checksums import CHECKSUMS, checksum, new_checksum
from tests.helpers.small_stores import CLASSES, IDS, create, fill, shapes


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores are made as before, in format 1."""
    made = headers.StoreHeader.__init__

    def in_format_1(self: headers.StoreHeader, **values: object) -> None:
        made(self, **{"format": 1, **values})  # type: ignore[arg-type]

    monkeypatch.setattr(headers.StoreHeader, "__init__", in_format_1)


@pytest.mark.parametrize("format", CHECKSUMS)
def test_bytes_in_pieces_have_the_checksum_of_the_whole(format: int) -> None:
    data = memoryview(np.random.default_rng(0).bytes(5000))
    running = new_checksum(format, 77)
    for start in range(0, 5000, 321):
        running.update(data[start : start + 321])
    assert running.value == checksum(data, format, 77)
    assert 0 <= running.value < 2**32
    assert checksum(data, format, 78) != running.value


def test_they_are_those_of_the_packages(tmp_path: Path) -> None:
    data = memoryview(b"maps of probabilities")
    assert checksum(data, 1, 5) == zlib.crc32(data, 5)
    assert checksum(data, 2, 5) == xxhash.xxh3_64_intdigest(data, 5) % 2**32


def _format(folder: Path) -> int:
    return int(json.loads((folder / "header.json").read_text())["format"])


def _crcs(store: MapStore) -> list[bool]:
    records = np.load(store.folder / "records.npy")["checksum"]
    return [
        zlib.crc32(np.ascontiguousarray(store.read_raw(each))) == found
        for each, found in zip(store.ids, records.tolist(), strict=True)
    ]


def test_a_store_of_an_earlier_version_is_read_verified_and_continued(
    tmp_path: Path, earlier: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(create(tmp_path))
    create(tmp_path).reset(IDS[:2])
    monkeypatch.undo()
    store = create(tmp_path)
    assert store.pending() == IDS[:2], "maps that are there stay"
    fill(store)
    again = MapStore.open(tmp_path)
    assert _format(tmp_path) == 1 and all(_crcs(again)) and not list(again.verify())
    with (tmp_path / "maps.npy").open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    assert [problem.id for problem in MapStore.open(tmp_path).verify()] == [IDS[-1]]
    with pytest.raises(ArtefactError, match="is damaged"):
        MapStore.open(tmp_path).read_raw(IDS[-1])


def test_a_new_store_has_the_fast_checksum(tmp_path: Path) -> None:
    fill(create(tmp_path))
    assert _format(tmp_path) == 2 and not any(_crcs(MapStore.open(tmp_path)))


def test_sums_of_an_earlier_version_go_on_too(
    tmp_path: Path, earlier: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sums() -> Accumulator:
        weights = {"a": 2, "b": 3}
        return Accumulator.create(tmp_path, shapes(IDS), CLASSES, weights, fingerprint="f")

    def add(member: str) -> None:
        store = sums()
        for each in shapes(IDS):
            values = np.full((len(CLASSES), each.height, each.width), 7, np.uint8)
            store.add({each.id: {member: values}})

    add("a")
    monkeypatch.undo()
    add("b")
    assert _format(tmp_path) == 1
    assert {int(value) for each in IDS for value in np.unique(sums().read_sums(each))} == {35}
    assert not list(Accumulator.open(tmp_path).verify())


def test_a_header_says_its_own_format() -> None:
    header = headers.StoreHeader("probability", "f", ("a",), "uint8", "raw", "0")
    assert header.difference(replace(header, format=1)) is None
