"""Faults of disk, devices and neighbours, met by whole stages."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.disk_space import allocated_bytes
from pipeline.errors import ArtefactError, ResourceError
from pipeline.maps import MapShape, MapStore
from pipeline.stages import infer, submit, train, verify
from tests.helpers import disks
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8, test=40)
    submit.run(context(root, workspace, **ONE_MODEL))
    return root, workspace


def _store(workspace: Path, part: str) -> Path:
    return workspace / "runs/discs/a/maps" / part


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damage_is_found_by_verify_and_just_that_made_again(
    copied: tuple[Path, Path], damage: str
) -> None:
    root, workspace = copied
    path = _store(workspace, "test") / "maps.npy"
    whole = path.read_bytes()
    spoiled = bytearray(whole)
    spoiled[-5] ^= 16
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(spoiled if damage == "flip" else whole[:-5])
    bad = 40 if damage == "remove" else 1
    with pytest.raises(ArtefactError, match=rf"{bad} of 48 maps are damaged; make infer"):
        verify.run(context(root, workspace, **ONE_MODEL))
    again = context(root, workspace, **ONE_MODEL)
    infer.run(again)
    assert f"infer: {bad} maps" in said(again)
    assert path.read_bytes() == whole
    verify.run(context(root, workspace, **ONE_MODEL))


@pytest.mark.parametrize("part", ["oof", "test"])
def test_a_damaged_map_is_in_no_blend_and_what_was_made_of_others_is_made_anew(
    copied: tuple[Path, Path], part: str
) -> None:
    root, workspace = copied
    path = _store(workspace, part) / "maps.npy"
    spoiled = bytearray(path.read_bytes())
    spoiled[200:2000] = bytes(1800)
    path.write_bytes(spoiled)
    (submission,) = (workspace / "submissions/discs").glob("*.csv")
    whole = submission.read_bytes()
    submission.unlink()
    (workspace / "runs/discs/ensemble.json").unlink()
    with pytest.raises(ArtefactError, match=f"{part} is damaged; run the same"):
        submit.run(context(root, workspace, **ONE_MODEL))
    with pytest.raises(ArtefactError, match="1 of 48 maps"):
        verify.run(context(root, workspace, **ONE_MODEL))
    assert submit.run(context(root, workspace, **ONE_MODEL)).read_bytes() == whole
    _replace_map(_store(workspace, part))
    again = context(root, workspace, **ONE_MODEL)
    assert submit.run(again) != submission, "of other maps, and so under another label"
    assert ("ensemble: blend of" in said(again)) == (part == "oof")


def _replace_map(folder: Path) -> None:
    """As when a map is predicted again and comes out a little different, on another device say."""
    store = MapStore.open(folder)
    header = json.loads((folder / "header.json").read_text())
    shapes = [MapShape(each, *store.shape(each)[1:]) for each in store.ids]
    writer = MapStore.create(folder, shapes, store.classes, fingerprint=header["fingerprint"])
    writer.write({store.ids[0]: 1 - store.read(store.ids[0])})


def test_a_disk_that_fills_up_half_way_is_an_error_and_infer_goes_on_from_there(
    copied: tuple[Path, Path], tmp_path: Path
) -> None:
    """Packed maps: what they will take is not known before, so nothing is refused."""
    pytest.importorskip("blosc2")
    root, workspace = copied
    packed = {**ONE_MODEL, "infer": {"codec": "blosc2"}}
    shutil.rmtree(_store(workspace, "oof").parent)
    shutil.rmtree(workspace / "runs/discs/decoded")  # takes another number of blocks there
    taken = allocated_bytes([workspace])
    with disks.small_disk(tmp_path / "disk", str(taken + 110_000)) as disk:
        shutil.copytree(workspace / "runs", disk / "runs")
        shutil.copytree(workspace / "folds", disk / "folds")
        with pytest.raises((ResourceError, OSError), match=r"maps.blosc2 needs|No space"):
            infer.run(context(root, disk, **packed))
        disks.resize(disk, str(taken + 2**22))
        stores = infer.run(context(root, disk, **packed))
        assert stores.oof["a"].is_complete and list(stores.test["a"].verify()) == []
        plain = MapStore.open(_whole(root, workspace))
        for each in plain.ids:
            np.testing.assert_array_equal(stores.oof["a"].read_raw(each), plain.read_raw(each))


def _whole(root: Path, workspace: Path) -> Path:
    return infer.run(context(root, workspace, **ONE_MODEL)).oof["a"].folder


def test_maps_that_another_process_writes_are_left_alone(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    store = MapStore.open(_store(workspace, "oof"))
    store.reset(store.ids[:2])
    whole = (store.folder / "maps.npy").read_bytes()
    with (
        store.claim(store.ids),
        pytest.raises(ArtefactError, match=f"is being written by process {os.getpid()}"),
    ):
        infer.run(context(root, workspace, **ONE_MODEL))
    assert len(store.pending()) == 2
    infer.run(context(root, workspace, **ONE_MODEL))
    assert (store.folder / "maps.npy").read_bytes() == whole


@pytest.mark.parametrize("stage", [train, infer])
def test_devices_that_are_not_there_are_named(copied: tuple[Path, Path], stage: Any) -> None:
    root, workspace = copied
    shutil.rmtree(workspace / "runs/discs/a")
    many = replace(context(root, workspace, **ONE_MODEL), jobs=None, devices=("cuda:0", "cuda:63"))
    with pytest.raises(ResourceError, match=r"no device .*cuda:63 here; there is"):
        stage.run(many)


def test_more_devices_than_there_is_work_for(copied: tuple[Path, Path]) -> None:
    root, workspace = copied
    store = MapStore.open(_store(workspace, "test"))
    whole = (store.folder / "maps.npy").read_bytes()
    store.reset(store.ids[:3])
    many = replace(context(root, workspace, **ONE_MODEL), jobs=5)
    infer.run(many)
    assert (store.folder / "maps.npy").read_bytes() == whole
