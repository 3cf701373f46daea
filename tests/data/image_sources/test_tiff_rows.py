"""Rows of a TIFF are those of the whole image, or the whole image is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.data import inspection
from pipeline.data.catalog import list_samples
from pipeline.data.image_sources import rgb
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.tiff_rows import tiff_rows
from pipeline.data.images import read_rgb
from pipeline.errors import DataError
from tests.helpers.data_folders import config, save

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 20, 3), dtype=np.uint8).repeat(7, 0).repeat(5, 1)[:131, :97]
GRAY = RGB[..., 0].copy()
LAYOUTS: list[dict[str, Any]] = [{}, {"rowsperstrip": 7}, {"tile": (32, 48)}]
PARTS = [(0, 1), (3, 50), (17, 64), (130, 131), (0, 131), (40, 40)]
SOURCE = RgbImages()


def written(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, **{"photometric": photometric, **options})
    return path


def check_rows(path: Path) -> None:
    rows, whole = tiff_rows(path), read_rgb(path)
    assert rows is not None and rows.shape == whole.shape and rows.dtype == whole.dtype
    for start, stop in PARTS:
        assert np.array_equal(rows[start:stop], whole[start:stop])
    assert np.array_equal(rows[:], whole)


@pytest.mark.parametrize("pixels", [RGB, GRAY], ids=["rgb", "gray"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=["one-strip", "strips", "tiles"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "zstd"])
def test_rows_are_those_of_the_whole_image(
    tmp_path: Path, pixels: np.ndarray, layout: dict[str, Any], compression: str | None
) -> None:
    for predictor in (None, True) if compression not in (None, "packbits") else (None,):
        for order in "<>":
            path = written(
                tmp_path / "a.tif", pixels, compression=compression, predictor=predictor,
                byteorder=order, bigtiff=order == "<", **layout,
            )  # fmt: skip
            check_rows(path)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", None])
def test_files_of_another_writer(tmp_path: Path, compression: str | None) -> None:
    for pixels in (RGB, GRAY):
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
        check_rows(tmp_path / "a.tif")


@pytest.mark.parametrize("first", [True, False])
def test_the_image_of_a_pyramid(tmp_path: Path, first: bool) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for full in (first, not first):
            pixels = RGB if full else RGB[::2, ::2]
            writer.write(pixels, photometric="rgb", tile=(32, 32), subfiletype=0 if full else 1)
    check_rows(tmp_path / "a.tif")


def _doubtful(folder: Path, kind: str) -> Path:
    path = folder / "a.tif"
    picture = Image.fromarray(RGB)
    if kind == "turned":
        picture.save(path, tiffinfo={274: 6})
    elif kind in ("P", "RGBA", "CMYK", "1", "LA"):
        picture.convert(kind).save(path)
    elif kind == "white is zero":
        written(path, GRAY, photometric="miniswhite")
    elif kind == "planes":
        written(path, RGB.transpose(2, 0, 1).copy(), planarconfig="separate")
    elif kind == "16 bits":
        written(path, GRAY.astype(np.uint16) * 257)
    elif kind == "packed differences":
        written(path, GRAY, compression="packbits", predictor=True)
    elif kind == "png":
        picture.save(path, format="PNG")
    else:
        written(path, RGB, compression="jpeg")
    return path


@pytest.mark.parametrize(
    "kind",
    ["turned", "P", "RGBA", "CMYK", "1", "LA", "white is zero", "planes", "16 bits", "png",
     "packed differences", "jpeg"],
)  # fmt: skip
def test_what_might_mean_other_pixels_is_decoded_whole(tmp_path: Path, kind: str) -> None:
    path = _doubtful(tmp_path, kind)
    assert tiff_rows(path) is None
    assert np.array_equal(SOURCE.rows(path)[:], read_rgb(path))


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits"])
def test_half_a_strip_is_an_error_that_names_the_file(
    tmp_path: Path, layout: dict[str, Any], compression: str
) -> None:
    path = written(tmp_path / "a.tif", RGB, compression=compression, **layout)
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        place, size = page.dataoffsets[1], page.databytecounts[1]
    data = bytearray(path.read_bytes())
    data[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(data)
    rows = tiff_rows(path)
    assert rows is not None
    with pytest.raises(DataError, match=r"a\.tif cannot be decoded .*get the file again"):
        rows[:]


def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", RGB, rowsperstrip=7, compression="lzw")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.tif"):
        SOURCE.rows(path)


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", RGB)
    rows = SOURCE.rows(path)
    path.unlink()
    with pytest.raises(DataError, match=r"a\.tif cannot be read: No such file"):
        rows[:4]
    with pytest.raises(DataError, match=r"a\.tif cannot be read: No such file"):
        SOURCE.rows(path)
    with pytest.raises(DataError, match=r"a\.tif cannot be read: No such file"):
        SOURCE.size_of(path)


def test_sizes_come_from_headers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", RGB, rowsperstrip=7, compression="lzw")
    path.write_bytes(path.read_bytes()[:-1000])
    assert SOURCE.size_of(path) == (131, 97)
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"b\.png is empty \(0 bytes\)"):
        SOURCE.size_of(tmp_path / "b.png")


@pytest.mark.parametrize("constant", [False, True])
def test_a_large_image_is_checked_by_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant: bool
) -> None:
    """With the same record as of one that is decoded whole."""
    pixels = np.full_like(RGB, 7) if constant else RGB
    (tmp_path / "images").mkdir()
    with tifffile.TiffWriter(tmp_path / "images/a.tif") as writer:
        writer.write(pixels, photometric="rgb", tile=(32, 32), compression="lzw")
        writer.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
    save(tmp_path / "masks/a.png", np.eye(131, 97, dtype=np.uint8))
    data = config(tmp_path, images="images/{id}.tif")
    (whole,) = inspection.inspect(list_samples(data), data, {}, lambda _: None, threads=1)
    monkeypatch.setattr(rgb, "SURELY_FITS", 100)
    monkeypatch.setattr(rgb, "ROWS", 20)
    monkeypatch.setattr(inspection, "read_bytes", lambda path: pytest.fail(f"{path} read whole"))
    (by_rows,) = inspection.inspect(list_samples(data), data, {}, lambda _: None, threads=1)
    assert by_rows == whole
    assert ("constant image" in whole.note) == constant and "smaller copies" in whole.note
