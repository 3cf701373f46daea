"""What is proposed for folders of volumes and of numbered slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import load_experiment
from pipeline.known_names import name_checks
from pipeline.proposal.proposal import Proposal, propose
from pipeline.proposal.write_yaml import as_yaml
from pipeline.reporting import SilentReporter
from pipeline.stages import check
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.workspace import Workspace
from tests.helpers.demo_folders import digests
from tests.helpers.kidney import draw_kidney
from tests.helpers.shared_data import shared_data
from tests.helpers.volumes import SIDES, draw_volume, draw_volumes, save_volume


def _checked(proposal: Proposal, folder: Path) -> Survey:
    """What `check` finds in the data of a proposal."""
    path = folder / "mine.yaml"
    path.write_text(as_yaml(proposal, "mine", "make check"))
    experiment = load_experiment(path, checks=name_checks())
    workspace = Workspace("mine", folder)
    return check.run(StageContext(experiment, workspace, SilentReporter(), asked="check", jobs=1))


def _sure(proposal: Proposal, key: str) -> str:
    return {each.key: each.sureness for each in proposal.blocks["data"]}[key]


@pytest.mark.parametrize(
    ("ending", "sureness"),
    [(".tif", "likely"), (".nii.gz", "sure"), (".npy", "likely"), (".zarr", "likely")],
)
def test_files_of_volumes_and_of_their_masks(ending: str, sureness: str, tmp_path: Path) -> None:
    pytest.importorskip({".nii.gz": "nibabel", ".zarr": "zarr"}.get(ending, "numpy"))
    root = tmp_path / "data"
    draw_volumes(root, count=3, ending=ending)
    before = digests(root)
    proposal = propose(root)
    assert proposal.raw["data"] == {
        "root": str(root),
        "images": f"train/{{id}}{ending}",
        "masks": f"labels/{{id}}{ending}",
        "test": f"test/{{id}}{ending}",
        "bands": ["gray"],
        "volume": {},
        "stack": {"neighbours": [-1, 0, 1]},
        "group": None,
        "classes": ["object"],
    }
    assert _sure(proposal, "volume") == sureness and _sure(proposal, "images") == "sure"
    assert proposal.summary.startswith("3 volumes with masks, 1 test volumes;")
    assert proposal.raw["folds"]["count"] == 3
    assert len(_checked(proposal, tmp_path).of("train")) == 3 * SIDES[0]
    assert digests(root) == before


def test_images_and_masks_told_apart_by_their_endings(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    for number in range(3):
        volume, labels = draw_volume(number)
        labels[2, :5, :5] = 2
        save_volume(tmp_path / f"case{number}/case{number}_image.nii.gz", volume)
        save_volume(tmp_path / f"case{number}/case{number}_seg.nii.gz", labels)
    raw = propose(tmp_path).raw["data"]
    assert raw["images"] == "{id}/{id}_image.nii.gz" and raw["masks"] == "{id}/{id}_seg.nii.gz"
    assert raw["classes"] == ["class_1", "class_2"] and raw["volume"] == {}


@pytest.mark.parametrize("layout", ["{id}/images", "images/{id}"])
def test_a_folder_with_a_file_a_slice(layout: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("kidney_1", "kidney_2", "liver"):
        folder = root / "train" / layout.replace("{id}", name)
        volume, labels = draw_volume(len(name))
        for number, plane in enumerate(volume):
            _save(folder / f"{number:04d}.tif", plane)
            mask = Path(str(folder).replace("images", "labels"))
            _save(mask / f"{number:04d}.tif", labels[number] * np.uint8(255))
    proposal = propose(root)
    raw = proposal.raw["data"]
    assert raw["images"] == f"train/{layout}"
    assert raw["masks"] == f"train/{layout.replace('images', 'labels')}"
    assert raw["volume"] == {} and _sure(proposal, "volume") == "likely"
    assert len(_checked(proposal, tmp_path).of("train")) == 3 * SIDES[0]


def test_a_dicom_series_and_masks_in_nifti(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("nibabel")
    one = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    for case in ("p1", "p2"):
        for number in range(3):
            one.ImagePositionPatient = [0, 0, number]
            one.SOPInstanceUID = f"1.2.3.{number}"
            path = tmp_path / f"dicom/{case}/s{9 - number}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            one.save_as(path)
        labels = np.zeros((3, one.Rows, one.Columns), np.uint8)
        labels[1, 20:60, 20:60] = 1
        save_volume(tmp_path / f"segmentations/{case}.nii.gz", labels)
    proposal = propose(tmp_path)
    raw = proposal.raw["data"]
    assert (raw["images"], raw["masks"]) == ("dicom/{id}", "segmentations/{id}.nii.gz")
    assert _sure(proposal, "volume") == "sure"
    assert "files of a DICOM series: 3 a volume" in as_yaml(proposal, "x", "y")


@pytest.mark.parametrize(("name", "sureness"), [("{n}", "guess"), ("slice_{n}", "likely")])
def test_numbered_slices_in_one_folder(name: str, sureness: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    draw_kidney(root, stacks=3, slices=5)
    for path in [*root.rglob("*.png")]:
        stack, number = path.stem.split("_")
        path.rename(path.with_name(f"{stack}_{name.replace('{n}', number)}.png"))
    proposal = propose(root)
    raw = proposal.raw["data"]
    mark = name.removesuffix("{n}")
    assert raw["stack"] == {
        "of": f"^(.+)_{mark}\\d+$",
        "position": f"_{mark}(\\d+)$",
        "neighbours": [-1, 0, 1],
    }
    assert raw["bands"] == ["gray"] and "volume" not in raw
    assert _sure(proposal, "stack") == sureness
    survey = _checked(proposal, tmp_path)
    assert len(survey.of("train")) == 15 and len(set(survey.groups.values())) == 3


def test_genuine_pages_with_label_maps(tmp_path: Path) -> None:
    for part, kind in (("images", "image"), ("masks", "labels")):
        (tmp_path / part).mkdir()
        for number in range(2):
            target = tmp_path / part / f"n{number}.tif"
            target.symlink_to(shared_data("formats") / f"nuclei3d_{kind}.tif")
    proposal = propose(tmp_path)
    raw = proposal.raw["data"]
    assert raw["images"] == "images/{id}.tif" and raw["masks"] == "masks/{id}.tif"
    assert raw["volume"] == {} and raw["classes"] == ["object"]


def test_pictures_of_one_object_each_are_no_slices(tmp_path: Path) -> None:
    """One image a folder, and numbered masks of its objects beside it."""
    for name in ("a", "b", "c"):
        for number in range(3):
            mask = np.zeros((20, 20), np.uint8)
            mask[number * 5 : number * 5 + 4] = 255
            _save(tmp_path / name / f"masks/{number}.png", mask)
        noise = np.random.default_rng(1).integers(0, 255, (20, 20, 3)).astype(np.uint8)
        _save(tmp_path / name / "images/0.png", noise)
    raw = propose(tmp_path).raw["data"]
    assert raw["masks"] == "{id}/masks/*.png" and "volume" not in raw and "stack" not in raw


def _save(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
