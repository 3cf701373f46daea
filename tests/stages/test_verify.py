from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ArtefactError
from pipeline.maps import MapShape, MapStore
from pipeline.stages import maps, verify
from tests.helpers.competitions import context, draw_discs


def _store(folder: Path, ids: str = "abc") -> MapStore:
    shapes = [MapShape(name, 20, 30) for name in ids]
    store = MapStore.create(folder, shapes, ["disc"], fingerprint="f")
    random = np.random.default_rng(0)
    store.write({name: random.random((1, 20, 30), dtype=np.float32) for name in ids})
    return store


def test_damaged_maps_are_named_and_become_pending(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", count=4)
    stage = context(tmp_path / "data", tmp_path)
    whole = _store(stage.workspace.maps("a", "oof"))
    _store(stage.workspace.maps("b", "oof"))
    verify.run(stage)
    path = whole.folder / "maps.npy"
    data = bytearray(path.read_bytes())
    data[-700] ^= 4  # within the second map
    path.write_bytes(data)
    with pytest.raises(ArtefactError, match=r"1 of 6 maps.*\n.*/a/maps/oof: b"):
        verify.run(stage)
    assert MapStore.open(whole.folder).pending() == ["b"]


@pytest.mark.parametrize("text", ["", "[]", '{"fingerprint": "x"}', '{"files": 3}'])
def test_a_manifest_that_names_no_files_is_listed_and_moved(text: str, tmp_path: Path) -> None:
    """It hides no other damage, and needs no hand."""
    draw_discs(tmp_path / "data", count=4)
    stage = context(tmp_path / "data", tmp_path)
    folder = _store(stage.workspace.maps("a", "oof")).folder
    (folder / "maps.npy").write_bytes((folder / "maps.npy").read_bytes()[:-1])
    manifest = stage.workspace.member(next(iter(stage.members("a", [0])))).manifest
    manifest.parent.mkdir(parents=True)
    manifest.write_text(text)
    with pytest.raises(
        ArtefactError, match=r"(?s)2 maps and files.*oof: c.*manifest.json: damaged"
    ):
        verify.run(stage)
    assert not manifest.exists() and manifest.with_name("manifest.json.damaged").read_text() == text


def test_without_maps_it_says_what_to_run(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", count=4)
    with pytest.raises(ArtefactError, match="run make infer"):
        verify.run(context(tmp_path / "data", tmp_path))


def test_a_map_is_shown_as_a_picture_of_its_size(tmp_path: Path) -> None:
    store = _store(tmp_path / "store")
    path = maps.show(store.folder, "b", tmp_path / "b.png")
    assert Image.open(path).size == (30, 20)
    with pytest.raises(ArtefactError, match=r"has no map 'x'; it has e\.g\. 'a'"):
        maps.show(store.folder, "x")
    shutil.rmtree(store.folder)
    with pytest.raises(ArtefactError):
        maps.show(store.folder, "b")
