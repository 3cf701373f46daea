"""The map store as its users see it: written, read, opened by plain NumPy, resumed, refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.choices import Codec, MapDtype
from pipeline.errors import ArtefactError, ConfigError, TrainingError
from pipeline.maps import MapShape, MapStore
from pipeline.maps.quantise import dequantise, quantise
from tests.helpers.small_stores import CLASSES, IDS, contents, create, fill, shapes, soft_map

LAYOUTS = [(d, c) for c in ("raw", "blosc2") for d in ("uint8", "uint16", "float16")]


@pytest.mark.parametrize(("dtype", "codec"), LAYOUTS)
def test_what_is_read_is_what_was_written(tmp_path: Path, dtype: MapDtype, codec: Codec) -> None:
    fill(create(tmp_path / "maps", dtype=dtype, codec=codec))
    store = MapStore.open(tmp_path / "maps")
    assert (store.ids, len(store), store.is_complete) == (IDS, len(IDS), True)
    assert (store.classes, store.fingerprint, store.dtype) == (tuple(CLASSES), "f1", dtype)
    for shape in shapes(IDS):
        expected = quantise(soft_map(shape), dtype)
        assert store.shape(shape.id) == expected.shape
        assert np.array_equal(store.read_raw(shape.id), expected)
        assert np.array_equal(store.read(shape.id), dequantise(expected))
    assert list(store.verify()) == []


def test_any_numpy_user_can_open_it(tmp_path: Path) -> None:
    fill(create(tmp_path, IDS[:7]), IDS[:7])
    index = pd.read_csv(tmp_path / "index.csv", index_col="id", keep_default_na=False)
    flat = np.load(tmp_path / "maps.npy", mmap_mode="r")
    for id in IDS[:5]:
        at = index.loc[id]
        size = (at.classes, at.height, at.width)
        values = flat[at.offset :][: np.prod(size)].reshape(size)
        assert np.array_equal(values, MapStore.open(tmp_path).read_raw(id))


def test_raw_maps_are_views_that_cannot_be_written_to(tmp_path: Path) -> None:
    fill(create(tmp_path))
    view = MapStore.open(tmp_path).read_raw("a")
    assert not view.flags.owndata
    assert not view.flags.writeable


def test_ids_never_become_file_names(tmp_path: Path) -> None:
    fill(create(tmp_path / "deep" / "maps"))
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["maps"]
    assert set(contents(tmp_path / "deep" / "maps")) == {
        "header.json", "index.csv", "maps.npy", "records.npy"
    }  # fmt: skip


@pytest.mark.parametrize("codec", ["raw", "blosc2"])
def test_the_bytes_do_not_depend_on_order_or_batch(tmp_path: Path, codec: Codec) -> None:
    fill(create(tmp_path / "a", codec=codec), batch=len(IDS))
    store = create(tmp_path / "b", codec=codec)
    for shape in reversed(shapes(IDS)):
        store.write({shape.id: soft_map(shape)})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_second_run_goes_on_from_the_first(tmp_path: Path) -> None:
    first = create(tmp_path)
    assert first.pending() == IDS
    done = shapes(IDS)[2]
    first.write({done.id: soft_map(done)})
    second = create(tmp_path)
    assert second.pending() == [id for id in IDS if id != done.id]
    assert not second.is_complete
    fill(second)
    assert second.is_complete
    assert np.array_equal(second.read_raw(done.id), quantise(soft_map(done), "uint8"))


def test_reset_maps_are_pending_and_made_again(tmp_path: Path) -> None:
    fill(create(tmp_path))
    before = contents(tmp_path)
    store = MapStore.open(tmp_path)
    store.reset(["NA", "a"])
    assert store.pending() == ["a", "NA"]
    with pytest.raises(ArtefactError, match=r"'NA'.*is not done; run `make infer`"):
        store.read("NA")
    fill(create(tmp_path))
    assert contents(tmp_path) == before


def test_a_done_map_can_be_written_again(tmp_path: Path) -> None:
    store = create(tmp_path)
    fill(store)
    other = soft_map(shapes(IDS)[0], salt="again")
    store.write({"a": other})
    assert np.array_equal(store.read_raw("a"), quantise(other, "uint8"))
    assert list(store.verify()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "f2"}, "fingerprint is 'f1' there and 'f2' now"),
        ({"dtype": "uint16"}, "dtype is 'uint8' there and 'uint16' now"),
        ({"codec": "blosc2"}, "codec is 'raw' there and 'blosc2' now"),
        ({"ids": IDS[::-1]}, "list of images or their sizes differ"),
    ],
)
def test_another_store_is_refused_and_left_alone(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    fill(create(tmp_path))
    before = contents(tmp_path)
    with pytest.raises(ArtefactError, match=words) as caught:
        create(tmp_path, **change)
    assert str(tmp_path) in str(caught.value)
    assert contents(tmp_path) == before


def test_other_class_order_is_refused(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(ArtefactError, match=r"\('car', 'bike'\) there and \('bike', 'car'\) now"):
        MapStore.create(tmp_path, shapes(IDS), CLASSES[::-1], fingerprint="f1")


def test_wrong_maps_are_refused_with_their_id(tmp_path: Path) -> None:
    store = create(tmp_path)
    good = soft_map(shapes(IDS)[0])
    with pytest.raises(ArtefactError, match=r"'a' is \(2, 40, 11\).*\(2, 11, 40\)"):
        store.write({"a": good.transpose(0, 2, 1)})
    with pytest.raises(ArtefactError, match=r"^a for .* -3.9.*logits"):
        store.write({"a": good * 8 - 4})
    with pytest.raises(TrainingError, match=r"^a for .* NaN"):
        store.write({"a": good * np.float32(np.nan)})
    with pytest.raises(ArtefactError, match="'nobody'"):
        store.write({"nobody": good})
    assert store.pending() == IDS


def test_a_failed_batch_can_be_written_again(tmp_path: Path) -> None:
    store = create(tmp_path)
    by_id = {shape.id: soft_map(shape) for shape in shapes(IDS)}
    with pytest.raises(TrainingError):
        store.write({**by_id, IDS[-1]: by_id[IDS[-1]] * np.float32(np.nan)})
    store.write(by_id)
    assert store.is_complete


def test_a_store_travels_to_another_process_as_its_folder(tmp_path: Path) -> None:
    store = create(tmp_path)
    fill(store)
    message = pickle.dumps(store)
    assert len(message) < 500
    copy = pickle.loads(message)
    copy.write({"a": soft_map(shapes(IDS)[0])})
    assert np.array_equal(copy.read("a"), store.read("a"))


def test_compressed_slots_take_only_what_they_hold(tmp_path: Path) -> None:
    store = MapStore.create(
        tmp_path, [MapShape("a", 1000, 1000)], ["c"], fingerprint="f", codec="blosc2"
    )
    store.write({"a": np.zeros((1, 1000, 1000), np.float32)})
    assert store.read("a").sum() == 0
    assert (tmp_path / "maps.blosc2").stat().st_blocks * 512 < 20_000


def test_without_blosc2_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "blosc2", None)
    with pytest.raises(ConfigError, match="pip install blosc2, or use codec raw"):
        create(tmp_path, codec="blosc2")


def test_a_store_opened_for_reading_is_not_written_to(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(AssertionError, match="opened for reading"):
        fill(MapStore.open(tmp_path))
