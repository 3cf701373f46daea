"""Images of every kind come out as HWC uint8 RGB, or as an error that names the file."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.data import decoding_memory, images
from pipeline.data.bit_depth import lost_levels
from pipeline.data.containers import size_in_header
from pipeline.data.images import decode_image, decode_rgb, read_rgb
from pipeline.data.masks.class_values import decode_values
from pipeline.data.masks.one_class import decode_inside
from pipeline.errors import DataError
from tests.helpers.data_folders import encoded, palette_gif, smooth, write

RGB = smooth()
GRAY = RGB[..., 0]
VALUES = (np.arange(24 * 36) % 6).reshape(24, 36).astype(np.uint8)
HERE = Path("some/image.xyz")


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def cv_png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.mark.parametrize(
    ("data", "expected", "off_by"),
    [
        pytest.param(encoded(Image.fromarray(RGB), "PNG"), RGB, 0, id="png"),
        pytest.param(encoded(Image.fromarray(RGB), "JPEG", quality=100), RGB, 6, id="jpeg"),
        pytest.param(encoded(Image.fromarray(RGB), "TIFF"), RGB, 0, id="tiff"),
        pytest.param(
            encoded(Image.fromarray(RGB), "TIFF", compression="tiff_lzw"), RGB, 0, id="tiff-lzw"
        ),
        pytest.param(encoded(Image.fromarray(RGB), "BMP"), RGB, 0, id="bmp"),
        pytest.param(
            encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=100), RGB, 8, id="cmyk"
        ),
        pytest.param(
            encoded(Image.fromarray(np.dstack([RGB, GRAY])), "PNG"), RGB, 0, id="alpha-dropped"
        ),
        pytest.param(encoded(Image.fromarray(GRAY), "PNG"), GRAY, 0, id="gray"),
        pytest.param(
            encoded(Image.fromarray(GRAY).convert("LA"), "PNG"), GRAY, 0, id="gray-alpha"
        ),
        pytest.param(cv_png(GRAY.astype(np.uint16) * 257), GRAY, 0, id="gray16"),
        pytest.param(cv_png(GRAY.astype(np.uint16) * 257 + 127), GRAY, 0, id="gray16-rounds-down"),
        pytest.param(cv_png(RGB[..., ::-1].astype(np.uint16) * 257), RGB, 0, id="rgb16"),
        pytest.param(
            encoded(Image.fromarray(GRAY.astype(np.uint16) * 257), "TIFF"), GRAY, 0, id="tiff16"
        ),
        pytest.param(palette_gif(VALUES), np.array([*map(list, zip(
            [0, 255, 255, 0, 9, 0], [0, 255, 0, 255, 9, 0], [0, 255, 0, 0, 9, 255], strict=True
        ))], np.uint8)[VALUES], 0, id="palette"),
    ],
)  # fmt: skip
def test_every_kind_is_rgb(data: bytes, expected: np.ndarray, off_by: int, tmp_path: Path) -> None:
    image = read_rgb(write(tmp_path / "image", data))
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= off_by


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_once(kind: str, orientation: int) -> None:
    undo = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90,
    }  # fmt: skip
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    data = encoded(Image.fromarray(RGB), kind, exif=exif(orientation), **options)
    image = decode_rgb(data, HERE)
    expected = undo[orientation](RGB)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 6
    stored = decode_image(data, HERE, turn=False)
    assert np.abs(stored.rgb.astype(int) - RGB).max() <= 6
    assert stored.header.orientation == orientation
    assert size_in_header(BytesIO(data), HERE) == image.shape[:2]
    assert size_in_header(BytesIO(data), HERE, turn=False) == RGB.shape[:2]


def test_sixteen_bits_are_rounded_not_cut() -> None:
    values = np.arange(0, 65536, 13, dtype=np.uint16).reshape(1, -1)
    decoded = decode_rgb(cv_png(values), HERE)[..., 0]
    assert np.array_equal(decoded, np.rint(values / 257))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_half_a_file_is_an_error_that_names_it(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, RGB.shape).astype(np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    for decode in (decode_rgb, decode_values, decode_inside):
        with pytest.raises(DataError, match=r"image\.xyz"):
            decode(data[: int(len(data) * share)], HERE)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png is empty \(0 bytes\)"):
        read_rgb(write(tmp_path / "a.png", b""))
    with pytest.raises(DataError, match=r"b\.png is not an image of a known format"):
        read_rgb(write(tmp_path / "b.png", b"<html>not found</html>"))
    with pytest.raises(DataError, match=r"c\.png cannot be read: No such file"):
        read_rgb(tmp_path / "c.png")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_rgb(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_damage_is_a_picture_or_a_data_error(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(encoded(Image.fromarray(RGB), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        end = data.draw(st.sampled_from([40, len(damaged)]))
        damaged[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_rgb, decode_values, decode_inside):
        try:
            decode(bytes(damaged), HERE)
        except DataError as error:
            assert "image.xyz" in str(error)


def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken() -> None:
    data = bytearray(encoded(Image.fromarray(RGB), "BMP"))
    data[18:26] = struct.pack("<ii", 40_000, 40_000)
    with pytest.raises(DataError, match=r"\d+ bytes cannot hold 40000×40000 pixels"):
        decode_rgb(bytes(data), HERE)
    fax = encoded(Image.new("1", (30, 20)), "TIFF", compression="group4")
    tall = fax.replace(struct.pack("<HHII", 257, 3, 1, 20), struct.pack("<HHII", 257, 4, 1, 2**24))
    assert tall != fax
    with pytest.raises(DataError, match=r"\d+ bytes cannot hold 30×16777216 pixels"):
        decode_rgb(tall, HERE)


def test_a_large_flat_picture_is_none_of_these() -> None:
    flat = encoded(Image.new("L", (8000, 7000)), "PNG", compress_level=9)
    assert decode_values(flat, HERE).shape == (7000, 8000)
    fax = encoded(Image.new("1", (8000, 7000)), "TIFF", compression="group4")
    assert len(fax) < 8000 * 7000 / 10_000
    assert not decode_inside(fax, HERE).all()


def test_floating_point_is_refused() -> None:
    data = encoded(Image.fromarray(GRAY.astype(np.float32)), "TIFF")
    for decode in (decode_rgb, decode_values, decode_inside):
        with pytest.raises(DataError, match="floating-point"):
            decode(data, HERE)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(Image.fromarray(VALUES), "PNG"), VALUES, id="gray"),
        pytest.param(palette_gif(VALUES), VALUES, id="gif"),
        pytest.param(
            encoded(Image.fromarray(np.dstack([VALUES] * 3)), "PNG"), VALUES, id="equal-channels"
        ),
        pytest.param(
            encoded(Image.fromarray(np.dstack([VALUES] * 3 + [GRAY | 1])), "PNG"), VALUES, id="rgba"
        ),
        pytest.param(
            encoded(Image.merge("LA", [Image.fromarray(VALUES), Image.fromarray(GRAY | 1)]), "PNG"),
            VALUES,
            id="gray-alpha",
        ),
        pytest.param(encoded(Image.fromarray(VALUES), "TIFF"), VALUES, id="tiff"),
        pytest.param(cv_png(VALUES.astype(np.uint16) * 300), VALUES.astype(int) * 300, id="16-bit"),
        pytest.param(encoded(Image.fromarray(VALUES > 2), "PNG"), VALUES > 2, id="1-bit"),
    ],
)
def test_mask_values_are_as_stored(data: bytes, expected: np.ndarray) -> None:
    values = decode_values(data, HERE)
    assert values.ndim == 2
    assert np.array_equal(values, expected)
    assert np.array_equal(decode_inside(data, HERE), expected != 0)


def test_a_coloured_mask_is_refused() -> None:
    with pytest.raises(DataError, match="is a colour image; a mask has one value"):
        decode_values(encoded(Image.fromarray(RGB), "PNG"), HERE)


def test_a_jpeg_mask_is_its_white_part_and_never_values() -> None:
    inside = np.zeros((40, 48), bool)
    inside[9:33, 5:28] = True
    data = encoded(Image.fromarray(np.uint8(255) * inside), "JPEG", quality=60)
    assert (np.asarray(Image.open(BytesIO(data))) != 0).sum() > inside.sum()
    assert np.array_equal(decode_inside(data, HERE), inside)
    with pytest.raises(DataError, match="is a JPEG, which blurs a mask's values"):
        decode_values(data, HERE)


def test_no_other_program_is_ever_asked_to_decode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write(tmp_path / "gs", f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for decode in (decode_rgb, decode_values, decode_inside):
        with pytest.raises(
            DataError, match=r"image\.xyz is not an image of a known format \(PNG, "
        ):
            decode(encoded(Image.fromarray(RGB), "EPS"), HERE)
    assert not (tmp_path / "ran").exists()


def test_a_picture_larger_than_free_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fax = encoded(Image.new("1", (20_000, 9_000)), "TIFF", compression="group4")
    monkeypatch.setattr(decoding_memory, "available_bytes", lambda: 10**9)
    for decode in (decode_rgb, decode_values, decode_inside):
        with pytest.raises(DataError, match=r"20000×9000 pixels, which take 2\.2 GB to decode; 1"):
            decode(fax, HERE)


def deep(values: np.ndarray, kind: str = "png") -> str:
    data = bytes(cv2.imencode(f".{kind}", values)[1])
    return lost_levels(data, decode_image(data, HERE))


def test_gray_levels_that_eight_bits_lose_are_told() -> None:
    ramp = np.linspace(0, 4095, 64 * 64).reshape(64, 64)
    twelve = ramp.astype(np.uint16)
    assert "17 of 256 gray level(s) are left" in deep(twelve)
    assert "fewer than 32 are left" in deep(twelve + np.uint16(32768))
    assert "fewer than 32 are left" in deep(np.dstack([twelve] * 3))
    hot = twelve.copy()
    hot[0, 0] = 65535
    assert "fewer than 32 are left" in deep(hot)
    assert deep((ramp * 16).astype(np.uint16)) == ""
    assert deep((ramp // 1000 * 257).astype(np.uint16)) == ""  # the file has no more itself
    wide = encoded(Image.fromarray((ramp * 100).astype(np.int32)), "TIFF")
    assert "values outside 0 to 65535 are cut off" in lost_levels(wide, decode_image(wide, HERE))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_the_array_of_a_large_image_is_made_by_rows(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    data = encoded(Image.fromarray(RGB).convert(mode), "PNG")
    whole = decode_rgb(data, HERE)
    monkeypatch.setattr(images, "_ROWS", 5)
    assert np.array_equal(decode_rgb(data, HERE), whole) and whole.shape == RGB.shape
