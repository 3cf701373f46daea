"""PNG, JPEG and the like are read with the bits and bands that they have."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_png_keeps_bits_and_bands(dtype: str, bands: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    shape = (20, 30) if bands == 1 else (20, 30, bands)
    values = RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    path.write_bytes(imagecodecs.png_encode(values))
    found = open_array(path)
    assert found.dtype == dtype and found.axes == ("YX" if bands == 1 else "YXC")
    assert np.array_equal(found.read(), values)
    assert np.array_equal(found.read(slice(7, 13)), values[7:13])
    assert bool(found.notes) == (bands in (2, 4)) and is_array_file(path) == (dtype == "u2")
    if bands != 2:
        ours = found.read()
        seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert seen is not None
        order = {1: slice(None), 3: [2, 1, 0], 4: [2, 1, 0, 3]}[bands]
        assert np.array_equal(ours, seen[..., order] if bands > 1 else seen)


def test_deep_jpeg_2000(tmp_path: Path) -> None:
    for bands in (1, 3):
        values = RANDOM.integers(0, 60_000, (20, 30, bands)).astype(np.uint16).squeeze()
        (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(values, level=0))
        assert np.array_equal(open_array(tmp_path / "a.jp2").read(), values)


@pytest.mark.parametrize("mode", ["1", "P", "L", "CMYK", "LA"])
def test_modes_are_painted(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(RANDOM.integers(0, 255, (20, 30, 3)).astype(np.uint8)).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    with Image.open(path) as stored:
        painted = np.asarray(stored.convert({"1": "L", "P": "RGB"}.get(mode, mode)))
    found = open_array(path)
    assert np.array_equal(found.read(), painted) and bool(found.notes) == (mode != "L")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_viewers_turn_them(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    values = RANDOM.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(path, exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    found = open_array(path)
    assert found.shape == upright.shape and np.array_equal(found.read(), upright)
    assert np.array_equal(found.read(slice(5, 9)), upright[5:9])
    assert np.array_equal(open_array(path, turn=False).read(), values)


@pytest.mark.parametrize("deep", [True, False])
def test_a_png_that_ends_too_early_is_an_error(deep: bool, tmp_path: Path) -> None:
    values = RANDOM.integers(0, 256, (40, 30, 3)).astype(np.uint16 if deep else np.uint8)
    data = imagecodecs.png_encode(values)
    path = tmp_path / "a.png"
    for length in (5, 20, 40, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"a\.png"):
            open_array(path).read()


def test_a_large_picture_does_not_wait_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.ones((40, 30, 3), np.uint8)))
    monkeypatch.setattr("pipeline.data.decoding_memory._SURELY_FIT", 0)
    monkeypatch.setattr("pipeline.data.decoding_memory.SURELY_FITS", 0)
    assert open_array(tmp_path / "a.png").read().all()


def test_a_header_of_a_huge_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(imagecodecs.png_encode(np.ones((40, 30, 3), np.uint16)))
    data[16:24] = (10**9).to_bytes(4, "big") * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.png .*cannot hold 1000000000×1000000000"):
        open_array(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"hello, this is no image", b"PK\x03\x04 broken"])
def test_what_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png"):
        open_array(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"b\.png cannot be read"):
        open_array(tmp_path / "b.png")


def test_deep_colours_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    data = b"P6 4 3 65535\n" + bytes(72)
    (tmp_path / "a.ppm").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.ppm has 16 bits a channel"):
        open_array(tmp_path / "a.ppm")


def test_animations_are_refused(tmp_path: Path) -> None:
    frames: list[Any] = [Image.fromarray(np.full((9, 9), n, np.uint8)) for n in (0, 99)]
    stream = BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    (tmp_path / "a.gif").write_bytes(stream.getvalue())
    with pytest.raises(DataError, match=r"a\.gif contains 2 images"):
        open_array(tmp_path / "a.gif")
