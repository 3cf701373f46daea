"""A mask file is read as it was painted, or refused; what had to be assumed is noted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.data.masks.class_values import judge_values
from pipeline.data.masks.one_class import decode_inside, judge_inside
from pipeline.errors import DataError
from tests.helpers.data_folders import PALETTE, encoded

HERE = Path("some/mask.xyz")
SHAPE = np.zeros((40, 48), bool)
SHAPE[9:30, 12:40] = True
WHITE = SHAPE * np.uint8(255)


def palette(index: np.ndarray, colours: list[tuple[int, int, int]], **options: Any) -> bytes:
    image = Image.fromarray(index.astype(np.uint8), "P")
    image.putpalette([value for colour in colours for value in colour])
    return encoded(image, "PNG", **options)


VOC = [(PALETTE[at], PALETTE[at + 1], PALETTE[at + 2]) for at in range(0, 18, 3)]


def gray(*levels: int) -> list[tuple[int, int, int]]:
    return [(level, level, level) for level in levels]


def rgba(colour: np.ndarray, alpha: np.ndarray) -> bytes:
    return encoded(Image.fromarray(np.dstack([colour] * 3 + [alpha])), "PNG")


def png(
    rows: list[bytes],
    depth: int,
    kind: int,
    size: tuple[int, int] = (48, 40),
    key: int | None = None,
) -> bytes:
    """key: the gray level that is declared transparent."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    start += b"" if key is None else chunk(b"tRNS", struct.pack(">H", key))
    return start + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def four_bits(values: np.ndarray) -> bytes:
    return png([bytes(row[::2] << 4 | row[1::2]) for row in values.astype(np.uint8)], 4, 0)


def one_bit(values: np.ndarray, key: int) -> bytes:
    return png([row.tobytes() for row in np.packbits(values, axis=1)], 1, 0, key=key)


def bmp(index: np.ndarray, bits: int, levels: Sequence[int], *, old: bool = False) -> bytes:
    """Rows from below, padded to 4 bytes; old: the header of OS/2."""
    places = np.unpackbits(index.astype(np.uint8)[..., None], axis=2)[:, :, 8 - bits :]
    rows = np.packbits(places.reshape(len(index), -1), axis=1)
    body = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))[::-1].tobytes()
    colours = b"".join(bytes([level] * 3 + [0] * (not old)) for level in levels)
    sizes = struct.pack("<HHHH" if old else "<iiHH", index.shape[1], index.shape[0], 1, bits)
    used = b"" if old else struct.pack("<IIiiII", 0, len(body), 0, 0, len(levels), 0)
    head = struct.pack("<I", 4 + len(sizes + used)) + sizes + used + colours
    return b"BM" + struct.pack("<IHHI", 14 + len(head + body), 0, 0, 14 + len(head)) + head + body


def ppm(values: np.ndarray, most: int) -> bytes:
    kind = "u1" if most < 256 else ">u2"
    return b"P6 48 40 %d\n" % most + np.repeat(values[..., None], 3, axis=2).astype(kind).tobytes()


def sgi_of_16_bits(values: np.ndarray) -> bytes:
    header = struct.pack(">HBBHHHHII", 474, 0, 2, 2, 48, 40, 1, 0, 65535)
    return header.ljust(512, b"\0") + values[::-1].astype(">u2").tobytes()


def tiff_of_16_bits(values: np.ndarray, photometric: int) -> bytes:
    """Little-endian and not compressed, with the tags that must be there."""
    tags = {256: 48, 257: 40, 258: 16, 259: 1, 262: photometric, 273: 122, 277: 1, 278: 40}
    tags[279] = 48 * 40 * 2
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return start.ljust(122, b"\0") + values.astype("<u2").tobytes()


def jpeg2000(values: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jp2", values)
    assert done
    return data.tobytes()


ALPHA_ONLY = "all that shows has one colour, so its alpha is the mask"


@pytest.mark.parametrize(
    ("data", "note"),
    [
        pytest.param(palette(SHAPE, gray(0, 255)), "", id="gray-palette"),
        pytest.param(palette(~SHAPE, gray(255, 0)), "", id="inverted-palette"),
        pytest.param(palette(SHAPE * 2, gray(0, 9, 9)), "", id="index-2"),
        pytest.param(palette(SHAPE, gray(0, 0)), "", id="all-black-palette"),
        pytest.param(palette(SHAPE, [(255, 255, 255), (200, 0, 0)]), "", id="red-on-white"),
        pytest.param(rgba(WHITE | 255, WHITE), ALPHA_ONLY, id="white-cut-out"),
        pytest.param(rgba(WHITE * 0, WHITE), ALPHA_ONLY, id="black-cut-out"),
        pytest.param(rgba(~WHITE, WHITE), ALPHA_ONLY, id="black-hides-white"),
        pytest.param(rgba(WHITE, WHITE), "", id="alpha-agrees"),
        pytest.param(rgba(WHITE, WHITE * 0), "", id="alpha-zero-everywhere"),
        pytest.param(
            encoded(Image.fromarray(np.dstack([WHITE | 255, WHITE]), "LA"), "PNG"), ALPHA_ONLY,
            id="gray-alpha",
        ),
        pytest.param(palette(SHAPE, gray(0, 255), transparency=0), "", id="transparent-background"),
        pytest.param(palette(~SHAPE, gray(255, 7), transparency=1), ALPHA_ONLY, id="tRNS-cut-out"),
        pytest.param(one_bit(~SHAPE, 1), ALPHA_ONLY, id="1-bit-tRNS-cut-out"),
        pytest.param(one_bit(SHAPE, 0), "", id="1-bit-transparent-background"),
        pytest.param(bmp(SHAPE, 1, [0, 255]), "", id="1-bit-bmp"),
        pytest.param(bmp(SHAPE, 4, [0, 255]), "", id="4-bit-bmp-of-2-colours"),
        pytest.param(bmp(SHAPE, 8, [0, 255]), "", id="8-bit-bmp-of-2-colours"),
        pytest.param(bmp(~SHAPE, 8, [255, 0]), "", id="inverted-bmp"),
        pytest.param(bmp(SHAPE, 4, range(16)), "", id="4-bit-gray-bmp"),
        pytest.param(bmp(SHAPE, 8, range(256)), "", id="8-bit-gray-bmp"),
        pytest.param(bmp(SHAPE, 8, [0, 255] + [0] * 254, old=True), "", id="os2-bmp"),
        pytest.param(four_bits(SHAPE), "", id="4-bit"),
        pytest.param(encoded(Image.fromarray(SHAPE), "TIFF", compression="group4"), "", id="fax"),
        pytest.param(encoded(Image.fromarray(WHITE).convert("CMYK"), "TIFF"), "", id="cmyk"),
        pytest.param(bytes(cv2.imencode(".png", WHITE * np.uint16(257))[1]), "", id="16-bit"),
        pytest.param(
            tiff_of_16_bits(~WHITE * np.uint16(257), photometric=0), "", id="16-bit-white-is-zero"
        ),
        pytest.param(tiff_of_16_bits(SHAPE, photometric=1), "", id="16-bit-tiff"),
    ],
)  # fmt: skip
def test_one_class_is_what_was_painted(data: bytes, note: str) -> None:
    found = judge_inside(data, HERE)
    assert np.array_equal(found.pixels, SHAPE)
    assert found.note == note


def lossy(kind: str, **options: Any) -> bytes:
    return encoded(Image.fromarray(WHITE), kind, **options)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(lossy("JPEG", quality=60), "JPEG: blurred, 128 and more", id="jpeg"),
        pytest.param(lossy("WEBP", quality=60), "lossy WebP: blurred", id="webp"),
        pytest.param(lossy("AVIF", quality=60), "AVIF: blurred", id="avif"),
        pytest.param(lossy("TIFF", compression="jpeg"), "TIFF with lossy", id="tiff-jpeg"),
        pytest.param(lossy("WEBP", lossless=True), "", id="lossless-webp"),
        pytest.param(
            encoded(Image.open(BytesIO(lossy("JPEG", quality=60))), "PNG"), "blend into each other",
            id="jpeg-saved-as-png",
        ),
    ],
)  # fmt: skip
def test_blurred_masks_are_inside_from_half_of_white_and_told(data: bytes, says: str) -> None:
    found = judge_inside(data, HERE)
    assert np.array_equal(found.pixels, SHAPE)
    assert says in found.note and bool(says) == bool(found.note)


@pytest.mark.parametrize("seed", range(6))
def test_jpeg_noise_in_a_png_never_grows_a_mask(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.uint8)
    y, x = random.integers(0, 43, 2)
    mask[y : y + 21, x : x + 21] = 255
    noisy = Image.open(BytesIO(encoded(Image.fromarray(mask), "JPEG", quality=75)))
    assert np.array_equal(decode_inside(encoded(noisy, "PNG"), HERE), mask > 0)


@pytest.mark.parametrize("radius", [1.2, 2, 5, 12])
def test_numbered_objects_are_no_soft_mask(radius: float) -> None:
    random, (rows, columns) = np.random.default_rng(0), np.mgrid[:200, :200]
    labels = np.zeros((200, 200), np.uint8)
    for number in range(1, 230):
        centre = random.integers(0, 200, 2)
        labels[np.hypot(rows - centre[0], columns - centre[1]) < radius] = number
    found = judge_inside(encoded(Image.fromarray(labels), "PNG"), HERE)
    assert np.array_equal(found.pixels, labels > 0)
    assert found.note == "several values, all but 0 count as inside"


def pages(kind: str, *pictures: np.ndarray) -> bytes:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    return encoded(first, kind, save_all=True, append_images=others)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pages("TIFF", WHITE, ~WHITE), "contains 2 pages"),
        (pages("GIF", WHITE, ~WHITE), "contains 2 images"),
        (pages("PNG", WHITE, ~WHITE), "contains 2 images"),
        (pages("WEBP", WHITE, ~WHITE), "contains 2 images"),
        (pages("MPO", WHITE, ~WHITE), "contains 2 images"),
        (encoded(Image.fromarray(WHITE), "ICO"), "not an image of a known format"),
        (encoded(Image.fromarray(SHAPE * np.uint8(1)), "JPEG"), "up to 1"),
        (png([np.repeat(row, 3).astype(">u2").tobytes() for row in SHAPE], 16, 2), "16 bits"),
        (ppm(SHAPE, 65535), "16 bits"),
        (ppm(SHAPE, 3), "2 bits"),
        (sgi_of_16_bits(SHAPE), "16 bits"),
        (jpeg2000(np.dstack([SHAPE * np.uint16(65535)] * 3)), "16 bits"),
        (palette(~SHAPE, [(255, 0, 0), (0, 0, 0)]), "background is unclear"),
        (palette(~SHAPE, [(254, 255, 255), (1, 0, 0)]), "background is unclear"),
        (palette(~SHAPE, [(255, 0, 0), (0, 0, 2)]), "background is unclear"),
        (rgba(np.arange(1920, dtype=np.uint8).reshape(40, 48), WHITE), "transparent pixels hide"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=rf"mask\.xyz.*{says}"):
        judge_inside(data, HERE)


def test_pyramids_and_previews_are_one_picture() -> None:
    data = pages("MPO", WHITE, WHITE[::4, ::4])
    assert np.array_equal(decode_inside(data, HERE), SHAPE)


def test_classes_decide_between_numbers_and_gray_levels() -> None:
    known = {0, 1, 2, 3}
    read = lambda data, known=known, **keys: judge_values(data, HERE, known, **keys).pixels.max()  # noqa: E731
    assert read(palette(SHAPE, gray(0, 3))) == 3  # an optimiser's
    assert read(palette(SHAPE * 2, gray(0, 100, 200))) == 2  # stretched for the eye
    assert read(palette(SHAPE * 5, VOC), {0, 5}) == 5  # colours are by index
    assert read(four_bits(SHAPE)) == 1
    assert read(encoded(Image.fromarray(SHAPE), "PNG")) == 1
    with pytest.raises(DataError, match="both its numbers"):
        read(four_bits(SHAPE), {0, 1, 17})
    with pytest.raises(DataError, match="both its numbers"):
        read(palette(SHAPE, gray(0, 255)), {0, 1, 255}, void=255)
    with pytest.raises(DataError, match=r"the values 0, 1, shown as gray 0, 9"):
        read(palette(SHAPE, gray(0, 9)), {0, 5})
    with pytest.raises(DataError, match="is a lossy WebP, which blurs"):
        read(lossy("WEBP", quality=50))
