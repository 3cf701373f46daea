"""DICOM is read as pydicom reads it, with the numbers that its header means; series in order."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.array_files.dicom_series import open_series
from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

pydicom = pytest.importorskip("pydicom")
pixels = pytest.importorskip("pydicom.pixels")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
RANDOM = np.random.default_rng(0)
AXIAL = [1, 0, 0, 0, 1, 0]

READ = {
    "693_J2KI": ("YX", "i4", -3024), "CT_small": ("YX", "i4", -3024),
    "MR_small": ("YX", "i2", None),
    "MR_small_RLE": ("YX", "i2", None), "MR_small_bigendian": ("YX", "i2", None),
    "MR_small_implicit": ("YX", "i2", None), "MR_small_jp2klossless": ("YX", "i2", None),
    "ExplVR_BigEnd": ("YXC", "u1", None), "SC_rgb_dcmtk_+eb+cy+np": ("YXC", "u1", None),
    "SC_rgb_jpeg": ("YXC", "u1", None), "SC_rgb_rle_16bit_2frame": ("ZYXC", "u2", None),
    "SC_rgb_rle_32bit": ("YXC", "u4", None), "SC_ybr_full_422_uncompressed": ("YXC", "u1", None),
    "image_dfl": ("YX", "u1", None), "liver_1frame": ("YX", "u1", None),
    "rtdose": ("ZYX", "u4", None), "rtdose_rle": ("ZYX", "u4", None),
    "examples_overlay": ("YX", "u2", None),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_real_files(name: str) -> None:
    path = FILES / f"{name}.dcm"
    found = open_array(path)
    assert (found.axes, found.dtype.str[1:], found.no_data) == READ[name] and is_array_file(path)
    assert pickle.loads(pickle.dumps(found)) == found
    dataset = pydicom.dcmread(path)
    expected = pixels.apply_modality_lut(pixels.pixel_array(dataset), dataset)
    for plane in range(found.planes):
        whole = expected[plane] if "Z" in found.axes else expected
        assert np.array_equal(found.read(plane=plane), whole)
        assert np.array_equal(found.read(slice(2, 9), plane), whole[2:9])


def test_palettes_are_painted() -> None:
    found = open_array(FILES / "examples_palette.dcm")
    dataset = pydicom.dcmread(FILES / "examples_palette.dcm")
    expected = pixels.apply_color_lut(pixels.pixel_array(dataset), dataset)
    assert found.axes == "YXC" and found.dtype == expected.dtype
    assert np.array_equal(found.read(), expected)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("MR_truncated", "cannot be decoded"), ("rtplan", r"without an image \(RT Plan Storage\)"),
     ("test-SR", "without an image"), ("badVR", "cannot be decoded"),
     ("rtstruct", "without an image")],
)  # fmt: skip
def test_files_without_a_whole_image(name: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"{name}\.dcm .*{reason}"):
        open_array(FILES / f"{name}.dcm").read(plane=0)


def test_compressions_that_no_installed_decoder_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("Unable to decompress:\n\tgdcm - requires gdcm")

    found = open_array(FILES / "MR_small_RLE.dcm")
    monkeypatch.setattr(pixels, "pixel_array", fails)
    with pytest.raises(DataError, match=r"RLE\.dcm .*RLE Lossless.*pip install pylibjpeg"):
        found.read()


def test_jpeg_ls_and_lossless_jpeg_need_no_further_decoders() -> None:
    found = open_array(FILES / "MR_small_jpeg_ls_lossless.dcm").read()
    assert np.array_equal(found, pydicom.dcmread(FILES / "MR_small.dcm").pixel_array)
    for name, same in (("SC_rgb_jpeg_gdcm", "SC_rgb_rle"), ("SC_rgb_jls_lossy_line", None)):
        seen = open_array(FILES / f"{name}.dcm").read()
        assert seen.shape == (100, 100, 3) and seen.std() > 50
        assert same is None or np.array_equal(seen, open_array(FILES / f"{same}.dcm").read())
    twelve = open_array(FILES / "JPGExtended.dcm").read()
    assert 255 < twelve.max() < 4096


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [True, False])
def test_lossless_jpeg_keeps_every_number(signed: bool, bits: int, tmp_path: Path) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    stored = (RANDOM.integers(0, 2**bits, (2, 20, 30)) + low).astype("i4")
    frames = [imagecodecs.ljpeg_encode((each & (2**bits - 1)).astype("u2"), bitspersample=bits)
              for each in stored]  # fmt: skip
    path = write(
        tmp_path / "a.dcm", stored.astype("i2" if signed else "u2"), NumberOfFrames=2,
        BitsStored=bits, HighBit=bits - 1, PixelData=pydicom.encaps.encapsulate(frames),
        syntax=pydicom.uid.JPEGLosslessSV1,
    )  # fmt: skip
    found = open_array(path)
    for plane in range(2):
        assert np.array_equal(found.read(plane=plane), stored[plane])


def test_without_pydicom_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match=r"CT_small\.dcm .*pip install 'maskmill\[dicom\]'"):
        open_array(FILES / "CT_small.dcm")


def write(path: Path, stored: NDArray[Any], **tags: Any) -> Path:
    """A slice; tags: DICOM's names, and what they are to be (None: not there)."""
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = tags.pop("syntax", pydicom.uid.ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    tags = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Rows": stored.shape[-2], "Columns": stored.shape[-1], "SamplesPerPixel": 1,
        "BitsAllocated": 8 * stored.itemsize, "BitsStored": 8 * stored.itemsize,
        "HighBit": 8 * stored.itemsize - 1, "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PhotometricInterpretation": "MONOCHROME2", "PixelData": stored.tobytes(), **tags,
    }  # fmt: skip
    for name, value in tags.items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (2, 3), (0.031, -7.5), (-1, 0)])
def test_numbers_are_rescaled(dtype: str, slope: float, intercept: float, tmp_path: Path) -> None:
    limits = np.iinfo(dtype)
    stored = RANDOM.integers(limits.min, limits.max, (20, 30), dtype, endpoint=True)
    stored[0, :2] = limits.min, limits.max
    path = write(tmp_path / "a.dcm", stored, RescaleSlope=slope, RescaleIntercept=intercept)
    found = open_array(path)
    dataset = pydicom.dcmread(path)
    expected = pixels.apply_modality_lut(dataset.pixel_array, dataset)
    assert np.array_equal(found.read(), expected) and found.notes[0].startswith("rescaled by")
    assert found.dtype.kind == ("f" if slope == 0.031 or dtype == "u4" else found.dtype.kind)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_where_white_is_low_numbers_are_inverted(bits: int, tmp_path: Path) -> None:
    stored = RANDOM.integers(0, 2**bits, (20, 30)).astype(np.uint16)
    tags = {"BitsStored": bits, "HighBit": bits - 1, "PhotometricInterpretation": "MONOCHROME1"}
    found = open_array(write(tmp_path / "a.dcm", stored, PixelPaddingValue=0, **tags))
    assert np.array_equal(found.read(), 2**bits - 1 - stored.astype(int))
    assert found.no_data == 2**bits - 1 and "inverted" in found.notes[0]
    signed = stored.astype(np.int16) if bits < 16 else stored.view(np.int16)
    found = open_array(write(tmp_path / "b.dcm", signed, **{**tags, "BitsStored": 16}))
    assert np.array_equal(found.read(), -1 - signed)


@pytest.mark.parametrize("inverted", [True, False])
def test_all_padding_becomes_the_one_no_data_value(inverted: bool, tmp_path: Path) -> None:
    stored = np.arange(600, dtype=np.int16).reshape(20, 30) - 50
    path = write(
        tmp_path / "a.dcm", stored, PixelPaddingValue=-40, PixelPaddingRangeLimit=-20,
        RescaleSlope=2, RescaleIntercept=-1000,
        PhotometricInterpretation="MONOCHROME1" if inverted else "MONOCHROME2",
    )  # fmt: skip
    found = open_array(path)
    seen = found.read()
    assert np.array_equal(seen == found.no_data, (stored >= -40) & (stored <= -20))
    shown = -1 - stored if inverted else stored
    assert np.array_equal(seen[3:], 2 * shown[3:] - 1000)


def test_signed_padding_of_unsigned_numbers_is_their_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.full((4, 4), 63536, np.uint16), PixelPaddingValue=63536)
    assert open_array(path).no_data == 63536


def test_frames_may_be_rescaled_each_in_its_own_way(tmp_path: Path) -> None:
    stored = RANDOM.integers(0, 100, (2, 20, 30)).astype(np.uint16)
    frames = []
    for slope in (2, 3):
        values, frame = pydicom.Dataset(), pydicom.Dataset()
        values.RescaleSlope, values.RescaleIntercept = slope, 1
        frame.PixelValueTransformationSequence = [values]
        frames.append(frame)
    measures, shared = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, measures.SpacingBetweenSlices = [2, 3], 4
    shared.PixelMeasuresSequence = [measures]
    path = write(
        tmp_path / "a.dcm", stored, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=frames,
        SharedFunctionalGroupsSequence=[shared],
    )  # fmt: skip
    found = open_array(path)
    assert found.axes == "ZYX" and found.spacing == (4, 2, 3)
    assert np.array_equal(found.read(plane=1), 3 * stored[1].astype(int) + 1)
    assert np.array_equal(found.read(plane=0), 2 * stored[0].astype(int) + 1)


def series(folder: Path, count: int = 5, **tags: Any) -> tuple[list[Path], NDArray[Any]]:
    volume = RANDOM.integers(0, 1000, (count, 12, 10)).astype(np.uint16)
    paths = []
    for number in RANDOM.permutation(count):
        facts = {
            "SeriesInstanceUID": "1.2.3", "ImageOrientationPatient": AXIAL,
            "ImagePositionPatient": [-5, 7, -20 + 2.5 * number], "PixelSpacing": [0.7, 0.5],
            "InstanceNumber": int(count - number), **tags,
        }  # fmt: skip
        paths.append(write(folder / f"{RANDOM.integers(10**9)}.dcm", volume[number], **facts))
    return paths, volume


def test_slices_are_ordered_by_position(tmp_path: Path) -> None:
    paths, volume = series(tmp_path)
    found = open_series(paths)
    assert (found.axes, found.shape, found.spacing) == ("ZYX", (5, 12, 10), (2.5, 0.7, 0.5))
    for plane in range(5):
        assert np.array_equal(found.read(slice(3, 7), plane), volume[plane, 3:7])
    assert found.path == tmp_path and pickle.loads(pickle.dumps(found)) == found


def test_without_positions_slices_are_ordered_by_number(tmp_path: Path) -> None:
    paths, volume = series(tmp_path, ImagePositionPatient=None, SliceThickness=3)
    found = open_series(paths)
    assert np.array_equal(found.read(plane=0), volume[-1]) and found.spacing == (3, 0.7, 0.5)
    assert found.notes == ("no positions: ordered by instance number",)


def test_slices_may_be_rescaled_each_in_its_own_way(tmp_path: Path) -> None:
    volume = np.stack([np.full((4, 4), 9, np.uint16), np.arange(16, dtype=np.uint16).reshape(4, 4)])
    paths = [
        write(
            tmp_path / f"{n}.dcm", volume[n], ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, n], RescaleSlope=n + 1.5, RescaleIntercept=0,
            PixelPaddingValue=4,
        )
        for n in range(2)
    ]  # fmt: skip
    found = open_series(paths)
    assert found.no_data == 6 and found.dtype == np.float64
    assert found.notes == ("rescaled, each slice in its own way",)
    expected = volume[1] * 2.5
    expected[1, 0] = 6  # its own padding is 4 * 2.5
    assert np.array_equal(found.read(plane=1), expected)


def refused(paths: list[Path], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        open_series(paths)


def test_a_missing_slice_is_an_error(tmp_path: Path) -> None:
    for tags in ({}, {"ImagePositionPatient": None}):
        paths, _ = series(tmp_path, 6, **tags)
        middle = [p for p in paths if pydicom.dcmread(p).InstanceNumber != 3]
        refused(middle, r"between .*\.dcm and .*\.dcm slices are missing: they are .* apart")
        open_series(paths)


def test_two_slices_at_one_place_are_an_error(tmp_path: Path) -> None:
    paths, volume = series(tmp_path)
    other = write(
        tmp_path / "other.dcm", volume[0], SeriesInstanceUID="1.2.3",
        ImageOrientationPatient=AXIAL, ImagePositionPatient=[0, 0, -17.5], InstanceNumber=9,
    )  # fmt: skip
    refused([*paths, other], r"at the same place of one series \(-17\.5 mm\)")
    refused([paths[0], paths[0]], "at the same place")


def test_what_does_not_belong_together_is_an_error(tmp_path: Path) -> None:
    paths, _ = series(tmp_path)
    base = {"SeriesInstanceUID": "1.2.3", "ImageOrientationPatient": AXIAL,
            "ImagePositionPatient": [0, 0, 99]}  # fmt: skip
    image = np.zeros((12, 10), np.uint16)
    size = write(tmp_path / "size.dcm", np.zeros((12, 11), np.uint16), **base)
    refused([*paths, size], r"size\.dcm .*differ in size: 12×10 and 12×11")
    turned = write(
        tmp_path / "turned.dcm", image, **{**base, "ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}
    )
    refused([*paths, turned], r"turned\.dcm .*different directions")
    second = write(tmp_path / "second.dcm", image, **{**base, "SeriesInstanceUID": "1.2.4"})
    refused([*paths, second], r"second\.dcm are of two series")
    frames = write(tmp_path / "frames.dcm", np.stack([image] * 2), NumberOfFrames=2, **base)
    refused([*paths, frames], r"frames\.dcm holds 2 frames")
    refused([], "without files")
    refused([*paths, FILES / "rtplan.dcm"], r"rtplan\.dcm .*without an image")
    bare = write(tmp_path / "bare.dcm", image)
    refused([bare, bare], r"bare\.dcm says neither its position nor its number")


def test_uneven_slices_are_said(tmp_path: Path) -> None:
    paths = [
        write(
            tmp_path / f"{place}.dcm", np.ones((4, 4), np.uint16), ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[0, 0, place],
        )
        for place in (0, 1, 2, 3.3)
    ]  # fmt: skip
    assert open_series(paths).notes == ("slices are 1 to 1.3 mm apart",)


def test_a_damaged_slice_is_named(tmp_path: Path) -> None:
    paths, _ = series(tmp_path)
    found = open_series(paths)
    low = next(p for p in paths if pydicom.dcmread(p).ImagePositionPatient[2] == -20)
    low.write_bytes(low.read_bytes()[:-50])
    with pytest.raises(DataError, match=rf"{low.name} cannot be decoded"):
        found.read(plane=0)
