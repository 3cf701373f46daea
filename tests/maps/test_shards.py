"""A store in shards is read, filled, repaired and fingerprinted as one in a file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtefactError
from pipeline.maps import MapShape, MapStore
from pipeline.maps.planned import PlannedStore
from pipeline.maps.shards import SHARDS, Sharding, read_sharding
from pipeline.maps.store import Codec

IDS = [f"i{number}" for number in (7, 3, 9, 1, 5)]  # no order but their own
SHAPES = tuple(MapShape(each, 4 + number, 6) for number, each in enumerate(IDS))
SHARDED = (("i3", "i5"), ("i7", "i9"), ("i1",))


def values(shape: MapShape) -> np.ndarray:
    random = np.random.default_rng(int(shape.id[1:]))
    return random.random((1, shape.height, shape.width), np.float32)


def planned(folder: Path, shards=SHARDED, codec: Codec = "raw", **changes) -> PlannedStore:
    return PlannedStore(
        folder, SHAPES, ("disc",), changes.pop("fingerprint", "f"), "uint8", codec,
        lambda: shards, changes.pop("sources", {}),
    )  # fmt: skip


def fill(store: MapStore, ids: list[str] | None = None) -> None:
    store.write({shape.id: values(shape) for shape in SHAPES if ids is None or shape.id in ids})


@pytest.fixture
def stores(tmp_path: Path) -> tuple[MapStore, MapStore]:
    """The same maps in shards and in one file."""
    made = planned(tmp_path / "shards").ready(), planned(tmp_path / "whole", ()).ready()
    for store in made:
        fill(store)
    return made


def test_shards_are_told_apart_by_nothing_but_their_files(
    stores: tuple[MapStore, MapStore],
) -> None:
    sharded, whole = map(MapStore.open, (store.folder for store in stores))
    assert (sharded.ids, sharded.shapes) == (whole.ids, whole.shapes) == (IDS, SHAPES)
    assert sharded.content == whole.content and sharded.is_complete and len(sharded) == 5
    assert list(sharded.verify()) == [] and sharded.pending() == []
    for each in IDS:
        np.testing.assert_array_equal(sharded.read_raw(each), whole.read_raw(each))
        assert sharded.shape(each) == whole.shape(each)
    folders = {sharded.shard_of(each).name for each in IDS}
    assert folders == {"shard00000", "shard00001", "shard00002"}
    assert whole.shard_of("i1") == whole.folder
    with pytest.raises(ArtefactError, match="no map of 'nobody'"):
        sharded.read("nobody")


def test_each_shard_is_a_store_that_one_job_opens_alone(tmp_path: Path) -> None:
    store = planned(tmp_path / "s").ready()
    part = pickle.loads(pickle.dumps(store.part(["i5", "i3"])))
    assert part.ids == ["i3", "i5"] and part.folder == store.folder
    assert part.folders == {store.folder / "shard00000"}
    with part.claim(["i5"]), pytest.raises(ArtefactError, match="is being written by"):
        pickle.loads(pickle.dumps(store)).write_bands("i5", iter([]))
    fill(part, ["i3", "i5"])
    assert MapStore.open(store.folder).pending() == ["i7", "i9", "i1"]
    with pytest.raises(ArtefactError):
        part.write({"i7": values(SHAPES[0])})
    two = store.part(["i1", "i3"])
    assert two.ids == ["i3", "i1", "i5"] and len(two.folders) == 2
    assert MapStore.open(store.folder / "shard00000").ids == ["i3", "i5"]


def test_a_store_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    fill(planned(tmp_path / "s").ready(), ["i1"])
    again = planned(tmp_path / "s", ()).ready()  # on one machine
    assert again.pending() == ["i7", "i3", "i9", "i5"] and len(again.folders) == 3
    fill(planned(tmp_path / "w", ()).ready(), ["i1"])
    assert planned(tmp_path / "w").ready().folders == {tmp_path / "w"}  # on several


def test_a_store_of_another_run_is_replaced(tmp_path: Path) -> None:
    fill(planned(tmp_path / "s").ready())
    other = planned(tmp_path / "s", (), fingerprint="g")
    assert other.existing is None and other.damage is None
    store = other.ready()
    assert len(store.pending()) == 5 and not (tmp_path / "s" / SHARDS).exists()


@pytest.mark.parametrize("what", [SHARDS, "shard00001/header.json", "shard00001/records.npy"])
def test_damage_is_told_and_repaired(tmp_path: Path, what: str) -> None:
    fill(planned(tmp_path / "s").ready())
    (tmp_path / "s" / what).write_bytes(b"{}")
    damaged = planned(tmp_path / "s")
    assert damaged.existing is None and damaged.damage is not None
    store = damaged.ready()
    kept = {"shard00001/records.npy": {"i3", "i5", "i1"}}.get(what, set())
    assert set(IDS) - set(store.pending()) == kept
    fill(store)
    assert MapStore.open(tmp_path / "s").is_complete


def test_stale_maps_of_any_shard_are_reset(tmp_path: Path) -> None:
    old = dict.fromkeys(IDS, "old")
    fill(planned(tmp_path / "s", sources=old).ready())
    changed = planned(tmp_path / "s", sources={**old, "i9": "new", "i3": "new"})
    assert changed.pending() == ["i3", "i9"] == changed.ready().pending()


def test_packed_shards_have_the_content_of_a_packed_file(tmp_path: Path) -> None:
    pytest.importorskip("blosc2")
    made = [planned(tmp_path / name, shards, "blosc2").ready() for name, shards in
            [("s", SHARDED), ("w", ())]]  # fmt: skip
    for store in made:
        fill(store)
    assert made[0].content == made[1].content
    np.testing.assert_array_equal(made[0].read_raw("i9"), made[1].read_raw("i9"))


def test_a_sharding_of_other_images_is_none_of_this_store(tmp_path: Path) -> None:
    fill(planned(tmp_path / "s").ready())
    Sharding(IDS[:-1], [0] * 4).write(tmp_path / "s", "f")
    assert len(planned(tmp_path / "s").ready().pending()) == 5
    assert read_sharding(tmp_path / "s") == Sharding(IDS, [1, 0, 1, 2, 0])
