"""Volumes of images and masks that are stored in different directions lie on each other."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config import DataConfig, build_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.inspection import Record, inspect
from pipeline.data.samples import SampleReader
from pipeline.data.volume_masks import mask_rules
from tests.helpers.volumes import volume_experiment

nibabel = pytest.importorskip("nibabel")
SHAPE = (4, 6, 8)
"""x, y, z, no two of them alike."""


def _data(root: Path, **data: Any) -> DataConfig:
    raw = volume_experiment(root, ".nii.gz", data={"test": None, **data})
    return build_experiment(raw, source="x").data


def _labels() -> NDArray[np.uint8]:
    """Labels XYZ without any symmetry."""
    return (np.random.default_rng(4).random(SHAPE) > 0.6).astype(np.uint8)


def _save_turned(path: Path, upright: NDArray[Any], order: Any, signs: Any) -> None:
    """Store XYZ (right, front, head) with its sides in that order and with those signs."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for side, (direction, sign) in enumerate(zip(order, signs, strict=True)):
        affine[direction, side] = sign
    turned = upright.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(turned, affine), path)


def _overlaid(data: DataConfig) -> list[bool]:
    """By slice: whether the mask is where the image is 1000 and more."""
    reader, found = SampleReader(data), []
    for sample in list_samples(data).train:
        image = reader.image(sample)[..., 0]
        truth = reader.truth(sample, (image.shape[0], image.shape[1]))
        found.append(np.array_equal(image >= 1000, truth.planes[0] > 0))
    return found


def _records(data: DataConfig) -> list[Record]:
    return inspect(list_samples(data), data, {}, lambda _: None, threads=1)


@pytest.mark.parametrize("axis", ["Z", "Y", "X"])
def test_nifti_of_image_and_mask_stored_in_other_directions(axis: str, tmp_path: Path) -> None:
    labels = _labels()
    image = labels.astype(np.int16) * 1000 + np.arange(labels.size, dtype=np.int16).reshape(SHAPE)
    turns = [((0, 1, 2), (1, 1, 1)), ((0, 1, 2), (-1, -1, 1)), ((2, 0, 1), (1, -1, -1)),
             ((1, 0, 2), (1, 1, -1))]  # fmt: skip
    for number, (one, other) in enumerate(itertools.pairwise(turns)):
        _save_turned(tmp_path / f"train/c{number}.nii.gz", image, *one)
        _save_turned(tmp_path / f"labels/c{number}.nii.gz", labels, *other)
    data = _data(tmp_path, volume={"axis": axis})
    side = SHAPE["XYZ".index(axis)]
    assert _overlaid(data) == [True] * (3 * side)
    assert {record.problem for record in _records(data)} == {""}


PLANES = {
    "axial": [1, 0, 0, 0, 1, 0],
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "axial, turned": [0, -1, 0, 1, 0, 0],
}
"""Directions of a series' rows and columns; to the left, the back and the head."""


def _save_series(folder: Path, upright: NDArray[Any], directions: list[int]) -> None:
    """The slices of XYZ (right, front, head), each pixel where its voxel is, in any order."""
    pytest.importorskip("pydicom")
    from tests.data.array_files.test_dicom import write

    across, down = np.array(directions[:3]), np.array(directions[3:])
    turns = [across, down, np.cross(across, down)]
    space = upright[::-1, ::-1]  # as DICOM counts: to the left and to the back
    sides = [int(np.abs(turn).argmax()) for turn in turns]
    first = np.zeros(3)
    for turn, side in zip(turns, sides, strict=True):
        first[side] = space.shape[side] - 1 if turn[side] < 0 else 0
    count, height, width = (space.shape[sides[n]] for n in (2, 1, 0))
    folder.mkdir(parents=True)
    for number in np.random.default_rng(1).permutation(count):
        plane = np.empty((height, width), np.uint16)
        for row, column in np.ndindex(height, width):
            at = first + number * turns[2] + row * down + column * across
            plane[row, column] = space[tuple(at.astype(int))]
        write(
            folder / f"{9 - number}.dcm",
            plane,
            ImageOrientationPatient=directions,
            ImagePositionPatient=[float(each) for each in first + number * turns[2]],
            PixelSpacing=[1, 1],
            SeriesInstanceUID="1.2.3",
        )


@pytest.mark.parametrize("plane", PLANES)
def test_a_nifti_lies_as_the_dicom_series_of_its_images(plane: str, tmp_path: Path) -> None:
    labels = _labels()
    _save_series(tmp_path / "train/a", labels.astype(np.uint16) * 1000, PLANES[plane])
    _save_turned(tmp_path / "labels/a.nii.gz", labels, (1, 2, 0), (1, -1, 1))
    _save_turned(tmp_path / "ignore/a.nii.gz", labels, (0, 1, 2), (-1, 1, 1))
    for axis in ("Z", "X"):
        data = _data(tmp_path, images="train/{id}", volume={"axis": axis})
        assert set(_overlaid(data)) == {True}
        (record, *_) = _records(data)
        assert not record.problem and "mask: turned as the DICOM series" in record.note
    ignoring = _data(tmp_path, images="train/{id}", ignore="ignore/{id}.nii.gz")
    sample, reader = list_samples(ignoring).train[1], SampleReader(ignoring)
    image = reader.image(sample)[..., 0]
    truth = reader.truth(sample, (image.shape[0], image.shape[1]))
    assert truth.valid is not None and np.array_equal(truth.valid, image < 1000)
    assert not truth.planes.any()


def test_only_nifti_of_series_has_a_rule_of_its_own(tmp_path: Path) -> None:
    """Which experiments are inspected and decoded again."""
    assert mask_rules(_data(tmp_path, images="train/{id}")) == ["series/1"]
    assert mask_rules(_data(tmp_path)) == []
    assert mask_rules(_data(tmp_path, images="train/{id}", masks="labels/{id}.npy")) == []


def test_masks_in_other_formats_are_as_the_series_is(tmp_path: Path) -> None:
    labels = _labels()
    _save_series(tmp_path / "train/a", labels.astype(np.uint16) * 1000, PLANES["axial"])
    (tmp_path / "labels").mkdir()
    np.save(tmp_path / "labels/a.npy", labels.transpose(2, 1, 0)[:, ::-1, ::-1])
    data = _data(tmp_path, images="train/{id}", masks="labels/{id}.npy", axes="ZYX")
    assert set(_overlaid(data)) == {True}
