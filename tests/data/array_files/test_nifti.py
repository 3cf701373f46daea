"""NIfTI is read as nibabel reads it when it has been turned to its canonical orientation."""

from __future__ import annotations

import gzip
import itertools
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.array_files import nifti, whole_arrays
from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

nibabel = pytest.importorskip("nibabel")
FILES = Path(nibabel.__file__).parent / "tests" / "data"
RANDOM = np.random.default_rng(0)
REAL = ("anatomical.nii", "functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz",
        "reoriented_anat_moved.nii", "standard.nii.gz")  # fmt: skip


def canonical(path: Path) -> NDArray[Any]:
    """nibabel's numbers, ZYX or ZYXC."""
    numbers = np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj)
    return numbers.swapaxes(0, 2)


def require_equal(path: Path) -> None:
    found, expected = open_array(path), canonical(path)
    assert found.shape == expected.shape and found.dtype == expected.dtype.newbyteorder("=")
    for plane in range(found.planes):
        assert np.array_equal(found.read(plane=plane), expected[plane])
        assert np.array_equal(found.read(slice(1, 3), plane), expected[plane, 1:3])


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        monkeypatch.setattr(nifti, "MOST_KEPT", 0)
    require_equal(FILES / name)
    found = open_array(FILES / name)
    assert pickle.loads(pickle.dumps(found)) == found and is_array_file(FILES / name)


def test_facts_of_real_files() -> None:
    found = open_array(FILES / "functional.nii")
    assert (found.axes, found.shape, found.spacing) == ("ZYXC", (3, 21, 17, 20), (8, 4, 4))
    assert found.notes[:2] == ("turned from LAS to RAS", "20 volumes are read as bands")
    assert found.dtype == np.float64 and found.notes[2].startswith("rescaled by 0.075407")
    assert open_array(FILES / "standard.nii.gz").spacing == (2, 3, 1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_every_orientation_is_brought_to_the_same(order: tuple[int, ...], tmp_path: Path) -> None:
    upright = RANDOM.integers(0, 1000, (5, 6, 7)).astype(np.int16)  # x, y, z
    for signs in itertools.product((1, -1), repeat=3):
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        for side, (direction, sign) in enumerate(zip(order, signs, strict=True)):
            affine[direction, side] = sign * (direction + 1)
        turned = upright.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
        nibabel.save(nibabel.Nifti1Image(turned, affine), tmp_path / "a.nii")
        found = open_array(tmp_path / "a.nii")
        assert found.shape == (7, 6, 5) and found.spacing == (3, 2, 1)
        for plane in (0, 6):
            assert np.array_equal(found.read(plane=plane), upright[:, :, plane].T)
        assert np.array_equal(found.read(slice(1, 4), 2), upright[:, 1:4, 2].T)


@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_single_slice_is_one_plane_whatever_its_direction(thin: int, tmp_path: Path) -> None:
    shape = [5, 6, 7]
    shape[thin] = 1
    values = RANDOM.integers(0, 1000, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    found = open_array(tmp_path / "a.nii")
    assert found.axes == "ZYX" and np.array_equal(found.read(), values.squeeze().T)


def test_two_sides_are_a_picture(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 1000, (5, 6)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-2, 3, 1, 1])), tmp_path / "a.nii")
    found = open_array(tmp_path / "a.nii")
    assert (found.axes, found.spacing) == ("YX", (3, 2))
    assert np.array_equal(found.read(), values[::-1].T)


def test_colours_are_bands(tmp_path: Path) -> None:
    colour = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    values = RANDOM.integers(0, 255, (5, 6, 7, 3)).astype(np.uint8)
    stored = values.view(colour)[..., 0]
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), tmp_path / "a.nii")
    found = open_array(tmp_path / "a.nii")
    assert found.axes == "ZYXC" and found.dtype == np.uint8
    assert np.array_equal(found.read(plane=3), values[:, :, 3].swapaxes(0, 1))


def test_scaled_numbers_and_pairs(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    image.header.set_slope_inter(0.3, -7)
    for name in ("a.nii", "b.nii.gz"):
        nibabel.save(image, tmp_path / name)
        require_equal(tmp_path / name)
    pair = nibabel.Nifti1Pair(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    nibabel.save(pair, tmp_path / "c.hdr")
    require_equal(tmp_path / "c.hdr")
    (tmp_path / "c.img").unlink()
    with pytest.raises(DataError, match=r"c\.hdr is a header whose numbers are in c\.img"):
        open_array(tmp_path / "c.hdr")


@pytest.mark.parametrize(
    ("values", "reason"),
    [(np.ones((3, 4, 5), np.complex64), "complex"), (np.ones((3, 4, 5, 2, 2), np.int16), "2×2"),
     (np.zeros((0, 4, 5), np.int16), "no pixels")],
)  # fmt: skip
def test_what_is_no_volume_is_refused(values: Any, reason: str, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match=rf"a\.nii .*{reason}"):
        open_array(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ["anatomical.nii", "standard.nii.gz"])
def test_files_that_end_too_early(name: str, tmp_path: Path) -> None:
    data = (FILES / name).read_bytes()
    for length in (1, 100, 349, len(data) // 2, len(data) - 9):
        if length < len(data):
            (tmp_path / name).write_bytes(data[:length])
            with pytest.raises(DataError, match=name):
                open_array(tmp_path / name).read(plane=0)


def test_a_flipped_bit_in_a_packed_volume_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    with gzip.open(FILES / "standard.nii.gz") as stream:
        data = stream.read()
    path.write_bytes(gzip.compress(data, compresslevel=0))
    damaged = bytearray(path.read_bytes())
    damaged[-40] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.nii\.gz .*CRC"):
        open_array(path).read(plane=0)


def test_a_packed_volume_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FILES / "example4d.nii.gz", tmp_path / "a.nii.gz")
    made: list[str] = []
    whole = whole_arrays.whole_array

    def counted(path: Path, part: str, needed: int, make: Any) -> Any:
        return whole(path, part, needed, lambda: made.append(part) or make())

    monkeypatch.setattr(nifti, "whole_array", counted)
    found = open_array(tmp_path / "a.nii.gz")
    for plane in range(found.planes):
        found.read(plane=plane)
    assert len(made) == 1


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((200, 200, 100), np.uint8), np.eye(4)), path)
    found = open_array(path)
    monkeypatch.setattr("pipeline.data.decoding_memory._SURELY_FIT", 10**6)
    monkeypatch.setattr("pipeline.data.decoding_memory.available_bytes", lambda: 10**6)
    with pytest.raises(DataError, match=r"a\.nii\.gz takes 0\.0 GB"):
        found.read(plane=0)


def test_without_nibabel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(DataError, match=r"anatomical\.nii .*pip install 'maskmill\[nifti\]'"):
        open_array(FILES / "anatomical.nii")
    assert is_array_file(FILES / "anatomical.nii")
