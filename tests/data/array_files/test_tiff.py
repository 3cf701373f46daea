"""TIFFs are read as tifffile reads them, by rows, and whatever they are."""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.array_files import tiff_segments
from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError
from tests.helpers.shared_data import shared_data

RANDOM = np.random.default_rng(0)
TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")
WAYS: dict[str, dict[str, Any]] = {
    "one piece": {},
    "strips": {"rowsperstrip": 7},
    "deflated strips": {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 32)},
    "deflated tiles": {"tile": (16, 16), "compression": "zlib"},
    "predicted tiles": {"tile": (16, 32), "compression": "zlib", "predictor": True},
    "LZW": {"compression": "lzw", "rowsperstrip": 5},
    "zstd": {"compression": "zstd", "tile": (32, 16)},
    "LZMA": {"compression": "lzma", "rowsperstrip": 50},
    "big": {"bigtiff": True, "compression": "zlib", "rowsperstrip": 9},
    "big-endian": {"byteorder": ">"},
    "big-endian strips": {"byteorder": ">", "compression": "zlib", "rowsperstrip": 9},
}
KINDS = {"YX": (45, 37), "YXC": (45, 37, 5), "CYX": (5, 45, 37), "ZYX": (4, 45, 37)}


def numbers(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    if dtype[0] == "f":
        return RANDOM.normal(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def write(path: Path, kind: str, values: NDArray[Any], **how: Any) -> Path:
    if kind in ("YXC", "CYX"):
        how["planarconfig"] = "contig" if kind == "YXC" else "separate"
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None, **how)
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_that_were_written(kind: str, way: str, tmp_path: Path) -> None:
    for dtype in TYPES if way in ("one piece", "predicted tiles") else ("u2", "f4"):
        if dtype == "f2" and WAYS[way].get("predictor"):
            continue
        values = numbers(KINDS[kind], dtype)
        path = write(tmp_path / f"{dtype}.tif", kind, values, **WAYS[way])
        found = open_array(path)
        assert found.axes == {"CYX": "YXC"}.get(kind, kind)
        assert found.dtype == np.dtype("f4" if dtype == "f2" else dtype)
        for plane in range(found.planes):
            expected = values[plane] if kind == "ZYX" else values
            expected = np.moveaxis(expected, 0, 2) if kind == "CYX" else expected
            seen = found.read(plane=plane)
            assert seen.dtype == found.dtype and seen.flags.c_contiguous
            assert np.array_equal(seen, expected)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    way=st.sampled_from(sorted(WAYS)),
    kind=st.sampled_from(sorted(KINDS)),
    cuts=st.lists(st.integers(0, 45), min_size=0, max_size=4).map(sorted),
)
def test_rows_in_pieces_are_the_whole(
    way: str, kind: str, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"pieces {way} {kind}.tif"
    if not path.exists():
        write(path, kind, numbers(KINDS[kind], "u2"), **WAYS[way])
    found = open_array(path)
    plane = found.planes - 1
    ends = [0, *cuts, 45]
    pieces = [found.read(slice(*each), plane) for each in pairwise(ends)]
    assert np.array_equal(np.concatenate(pieces), found.read(plane=plane))


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12])
def test_packed_integers(bits: int, tmp_path: Path) -> None:
    values = RANDOM.integers(0, 2**bits, (20, 33)).astype("u1" if bits <= 8 else "u2")
    tifffile.imwrite(tmp_path / "a.tif", values, bitspersample=bits, photometric="minisblack")
    assert np.array_equal(open_array(tmp_path / "a.tif").read(), values)


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_integers_of_64_bits_are_exact_or_refused(dtype: str, tmp_path: Path) -> None:
    values = RANDOM.integers(0, 2**53, (20, 33)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    found = open_array(tmp_path / "a.tif")
    assert found.dtype == np.float64 and np.array_equal(found.read().astype(dtype), values)
    assert f"{np.dtype(dtype)} read as float64" in found.notes
    values[3, 3] = 2**53 + 1
    tifffile.imwrite(tmp_path / "b.tif", values)
    with pytest.raises(DataError, match=r"b\.tif holds integers of .*beyond"):
        open_array(tmp_path / "b.tif").read()


def test_jpeg_tiles(tmp_path: Path) -> None:
    values = np.repeat(np.linspace(0, 255, 64).astype("u1")[None, :, None], 70, 0).repeat(3, 2)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, compression="jpeg", tile=(32, 32), photometric="ycbcr")
    assert np.array_equal(open_array(path).read(slice(30, 65)), tifffile.imread(path)[30:65])


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the segments that are decoded."""
    numbers, decoded = [], tiff_segments._decoded

    def counted(*arguments: Any) -> Any:
        numbers.append(arguments[-1])
        return decoded(*arguments)

    monkeypatch.setattr(tiff_segments, "_decoded", counted)
    return numbers


def test_a_page_in_one_piece_is_decoded_once(tmp_path: Path, seen: list[int]) -> None:
    path, values = tmp_path / "a.tif", numbers((64, 30, 3), "u2")
    tifffile.imwrite(path, values, rowsperstrip=64, compression="zlib", photometric="rgb")
    found = open_array(path)
    pieces = [found.read(slice(top, top + 16)) for top in range(0, 64, 16)]
    assert np.array_equal(np.concatenate(pieces), values) and seen == [0]


def test_only_the_tiles_of_the_rows_are_decoded(tmp_path: Path, seen: list[int]) -> None:
    path = tmp_path / "a.tif"
    values = numbers((640, 640), "u2")
    tifffile.imwrite(path, values, tile=(64, 64), compression="zlib")
    assert np.array_equal(open_array(path).read(slice(130, 190)), values[130:190])
    assert seen == list(range(20, 30))


def test_ome_hyperstacks_are_planes_of_bands(tmp_path: Path) -> None:
    for order in ("ZCYX", "CZYX"):
        path = tmp_path / f"{order}.ome.tif"
        values = numbers((3, 4, 20, 30), "u2")
        tifffile.imwrite(path, values, metadata={"axes": order}, compression="zlib", ome=True)
        found = open_array(path)
        expected = values if order == "ZCYX" else values.swapaxes(0, 1)
        assert found.axes == "ZYXC" and found.planes == len(expected)
        for plane in range(found.planes):
            assert np.array_equal(found.read(plane=plane), np.moveaxis(expected[plane], 0, 2))


def test_imagej_stacks_have_their_spacing(tmp_path: Path) -> None:
    values = numbers((3, 20, 30), "u2")
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        imagej=True,
        resolution=(4, 2),
        metadata={"spacing": 1.5, "unit": "um", "axes": "ZYX"},
    )
    found = open_array(tmp_path / "a.tif")
    assert found.spacing == (1.5, 0.5, 0.25) and np.array_equal(found.read(plane=2), values[2])


def test_frames_and_slices_together_are_refused(tmp_path: Path) -> None:
    values = numbers((2, 3, 20, 30), "u2")
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(DataError, match=r"a\.tif has sides TZYX of 2×3×20×30"):
        open_array(tmp_path / "a.tif")


def test_pages_are_slices_unless_axes_call_them_bands(tmp_path: Path) -> None:
    values = numbers((4, 20, 30), "u2")
    write(tmp_path / "a.tif", "ZYX", values, compression="zlib")
    found = open_array(tmp_path / "a.tif")
    assert found.axes == "ZYX" and found.notes == ("4 pages are read as slices",)
    with pytest.raises(DataError, match=r"a\.tif holds 4 slices; choose one of 0 to 3"):
        found.read()
    with pytest.raises(DataError, match=r"a\.tif has no slice 4"):
        found.read(plane=4)
    bands = open_array(tmp_path / "a.tif", axes="CYX")
    assert bands.axes == "YXC" and not bands.notes
    assert np.array_equal(bands.read(slice(3, 9)), np.moveaxis(values, 0, 2)[3:9])
    for wrong in ("YX", "CZYX", "YYX", "zyx"):
        with pytest.raises(DataError, match=f"axes '{wrong}'"):
            open_array(tmp_path / "a.tif", axes=wrong)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}])
def test_bands_saved_as_columns_of_pages_are_asked_for(how: Any, tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbers((40, 30, 5), "f4")
    tifffile.imwrite(path, values, **how)
    with pytest.raises(DataError, match=r"a\.tif has 40 pages of 30×5: .*axes: ZYX, or YXC"):
        open_array(path)
    found = open_array(path, axes="YXC")
    assert found.shape == (40, 30, 5) and np.array_equal(found.read(), values)
    assert np.array_equal(found.read(slice(11, 20)), values[11:20])
    assert np.array_equal(open_array(path, axes="ZYX").read(plane=39), values[39])


@pytest.mark.parametrize("sub", [True, False])
def test_smaller_copies_are_left_out(sub: bool, tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbers((64, 64), "u2")
    with tifffile.TiffWriter(path) as file:
        file.write(values, subifds=1 if sub else None, tile=(16, 16), metadata=None)
        file.write(values[::2, ::2], subfiletype=1, tile=(16, 16), metadata=None)
    found = open_array(path)
    assert found.shape == (64, 64) and np.array_equal(found.read(), values)
    assert found.notes == ("smaller copies left out",)


def test_several_images_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(numbers((64, 64), "u2"), metadata=None)
        file.write(numbers((50, 61), "u2"), metadata=None)
    with pytest.raises(DataError, match=r"a\.tif contains 2 images \(64×64, 50×61\)"):
        open_array(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("text", "dtype", "expected"),
    [("-9999", "i2", -9999), ("0", "u1", 0),
     ("-3.4028234663852886e+38", "f4", -3.4028234663852886e38),
     ("-9999", "u2", None), ("soil", "u2", None), ("-9999.9", "f4", float(np.float32(-9999.9)))],
)  # fmt: skip
def test_the_no_data_value_is_one_that_pixels_can_have(
    text: str, dtype: str, expected: float | None, tmp_path: Path
) -> None:
    values = numbers((20, 30), dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(42113, "s", 0, text, True)])
    found = open_array(tmp_path / "a.tif")
    assert found.no_data == expected and bool(found.notes) == (expected is None)


def test_nan_may_be_no_data(tmp_path: Path) -> None:
    values = numbers((20, 30), "f4")
    values[3:5] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(42113, "s", 0, "nan", True)])
    found = open_array(tmp_path / "a.tif")
    assert found.no_data is not None and np.isnan(found.no_data)
    assert np.array_equal(found.read(), values, equal_nan=True)


@pytest.mark.parametrize("dtype", ["bool", "u1", "u2"])
def test_where_white_is_zero_gray_is_inverted(dtype: str, tmp_path: Path) -> None:
    values = RANDOM.integers(0, 2 if dtype == "bool" else 200, (20, 32)).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="miniswhite")
    expected = ~values if dtype == "bool" else np.iinfo(dtype).max - values
    found = open_array(path)
    assert np.array_equal(found.read(), expected)
    assert found.notes == ("white is stored as zero: inverted",)
    if dtype == "u1":
        assert np.array_equal(found.read(), np.asarray(Image.open(path)))


def test_palettes_are_painted(tmp_path: Path) -> None:
    image = Image.fromarray(RANDOM.integers(0, 9, (20, 30)).astype(np.uint8), "P")
    image.putpalette(RANDOM.integers(0, 256, 27).astype(np.uint8).tobytes())
    image.save(tmp_path / "a.tif", compression="tiff_lzw")
    found = open_array(tmp_path / "a.tif")
    assert found.axes == "YXC" and found.notes == ("palette read as RGB",)
    assert np.array_equal(found.read(slice(3, 9)), np.asarray(image.convert("RGB"))[3:9])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_turned_as_pillow_turns_them(orientation: int, tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbers((20, 30, 3), "u1")
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, values, extratags=[tag], photometric="rgb", compression="zlib")
    found = open_array(path)
    with Image.open(path) as image:
        expected = np.asarray(image)
    assert found.shape == expected.shape and np.array_equal(found.read(), expected)
    assert np.array_equal(found.read(slice(4, 11)), expected[4:11])
    assert np.array_equal(open_array(path, turn=False).read(), values)


def test_the_same_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for shape in ((20, 30), (40, 10)):
        values = numbers(shape, "u2")
        tifffile.imwrite(path, values, compression="zlib")
        assert np.array_equal(open_array(path).read(), values)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_ends_too_early_is_an_error(way: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "YX", numbers((45, 37), "u2"), **WAYS[way])
    data = path.read_bytes()
    whole = open_array(path).read()
    for length in (3, 9, 40, len(data) // 2, len(data) - 40):
        path.write_bytes(data[:length])
        try:
            assert np.array_equal(open_array(path).read(), whole)  # what was cut was no pixel
        except DataError as error:
            assert "a.tif" in str(error)


def test_damaged_bytes_are_an_error_or_a_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "YXC", numbers((45, 37, 5), "u2"), **WAYS["predicted tiles"])
    data = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(data)
        for place in RANDOM.integers(0, len(data) if _ % 2 else 500, 3):
            damaged[int(place)] = RANDOM.integers(256)
        path.write_bytes(damaged)
        try:
            found = open_array(path)
            found.read(slice(0, 5), plane=0)
        except DataError as error:
            assert "a.tif" in str(error)


def test_a_header_of_a_huge_image_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, numbers((64, 64), "u2"), compression="zlib", rowsperstrip=64)
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[tag].overwrite(2_000_000_000, dtype="I")  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"a\.tif takes .* GB"):
        open_array(path).read(slice(0, 10))


def test_complex_pixels_and_empty_files_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 30), np.complex64))
    with pytest.raises(DataError, match=r"a\.tif holds complex numbers .*amplitude"):
        open_array(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"")
    with pytest.raises(DataError, match=r"b\.tif is empty"):
        open_array(tmp_path / "b.tif")
    with pytest.warns(UserWarning, match="zero-size"):
        tifffile.imwrite(tmp_path / "c.tif", np.ones((0, 30), np.uint16))
    with pytest.raises(DataError, match=r"c\.tif"):
        open_array(tmp_path / "c.tif")


SLICES = ("31 pages are read as slices",)
ALPHA = "fourth sample is tagged as alpha ({})"
MULTIPLIED = "associated: colours are multiplied by it"
REAL = {
    "nuclei2d_image": ("YX", (512, 512), "u2", ()),
    "nuclei3d_image": ("ZYX", (31, 61, 57), "u2", SLICES),
    "nuclei3d_labels": ("ZYX", (31, 61, 57), "u2", SLICES),
    "satellite_4band_float64": ("YXC", (300, 300, 4), "f8", ()),
    "satellite_pan_uint16": ("YX", (600, 600), "u2", ()),
    "satellite_geotiff": ("YX", (900, 900), "u2", ()),
    "vegas_4x8bit": ("YXC", (1300, 1300, 4), "u1", (ALPHA.format(MULTIPLIED),)),
    "rgba_uint16": ("YXC", (411, 634, 4), "u2", (ALPHA.format("unassociated"),)),
    "goes_4pages": ("YXC", (542, 542, 3), "u1",
                    ("smaller copies left out", "transparency mask left out")),
    "rgb_nodata": ("YXC", (718, 791, 3), "u1", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    path = shared_data("formats") / f"{name}.tif"
    found = open_array(path)
    assert (found.axes, found.shape, found.dtype.str[1:], found.notes) == REAL[name]
    expected = tifffile.imread(path, series=0)
    for plane in range(found.planes):
        stored = expected[plane] if "Z" in found.axes else expected
        assert np.array_equal(found.read(plane=plane), stored)
        assert np.array_equal(found.read(slice(11, 40), plane), stored[11:40])
    assert pickle.loads(pickle.dumps(found)) == found
    assert is_array_file(path) == (name not in ("goes_4pages", "rgb_nodata", "vegas_4x8bit"))


def test_real_files_that_cannot_be_read() -> None:
    folder = shared_data("formats")
    with pytest.raises(DataError, match=r"complex\.tif holds complex"):
        open_array(folder / "satellite_sar_complex.tif")
    with pytest.raises(DataError, match=r"corrupt\.tif cannot be decoded"):
        open_array(folder / "corrupt.tif").read()


def test_facts_of_real_files() -> None:
    folder = shared_data("formats")
    assert open_array(folder / "rgb_nodata.tif").no_data == 0
    spacing = open_array(folder / "satellite_geotiff.tif").spacing
    assert spacing is not None and len(spacing) == 2 and spacing[0] > 0
