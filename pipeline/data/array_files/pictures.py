"""PNG, JPEG and the others that Pillow reads, in the bands and bits that are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.data.array_files.array_file import ArrayFile, Pixels
from pipeline.data.array_files.description import described
from pipeline.data.array_files.turned import TURNS, TurnedPixels
from pipeline.data.containers import FORMATS, open_picture
from pipeline.data.decoding_memory import memory_for
from pipeline.data.images import opened, read_bytes
from pipeline.data.pages import RefusedError, choose_page
from pipeline.data.picture_header import orientation_of, read_header

_AS_STORED = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "F": 1, "I": 1}
"""Pillow's modes whose pixels are taken as they are, and their bands."""
_PAINTED = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB",
            "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}  # fmt: skip
_TYPES = {"F": np.dtype(np.float32), "I": np.dtype(np.int32)}
_SIXTEEN = np.dtype(np.uint16)
_DEEP = {"PNG": "png_decode", "JPEG2000": "jpeg2k_decode"}
"""Formats whose images of several bands Pillow reads in 8 bits, and imagecodecs with all."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class PicturePixels:
    """The pixels of one picture, not turned. They are decoded whole."""

    path: Path
    mode: str
    """Pillow's, of the pixels that are given; "" for those of `_DEEP`."""
    format: str

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        data = read_bytes(self.path)
        picture = open_picture(data, self.path, turn=False).pixels if self._by_pillow else None
        if self.mode and picture is not None:
            image = picture if picture.mode == self.mode else picture.convert(self.mode)
            return np.asarray(image)[start:stop]
        import imagecodecs

        return np.asarray(getattr(imagecodecs, _DEEP[self.format])(data))[start:stop]

    @property
    def _by_pillow(self) -> bool:
        """True also where Pillow only finds out if a PNG is whole."""
        return bool(self.mode) or self.format == "PNG"


def describe(path: Path, turn: bool) -> ArrayFile:
    """The picture in a file, from its header."""
    data = read_bytes(path)
    with opened(path) as stream:
        try:
            image: Image.Image = Image.open(stream, formats=FORMATS)
        except UnidentifiedImageError:
            known = ", ".join((*FORMATS, "npy", "npz", "DICOM", "NIfTI", "zarr"))
            raise RefusedError(f"is of none of the formats that are read: {known}") from None
        previews = choose_page(image, data)
        with memory_for(image, len(data)):
            header = read_header(image, data, previews, orientation_of(image))
        mode, width, height = _mode(image, data), image.width, image.height
        notes = ["smaller copies left out"] if previews else []
        transparent = "transparency" in image.info
    bands, dtype, target = _kind(mode, header.format, header.bits, transparent, notes)
    shape = (height, width) if bands == 1 else (height, width, bands)
    pixels: Pixels = PicturePixels(path, target, header.format)
    if header.orientation in TURNS:
        notes.append(f"turned by EXIF: read as {'viewers show it' if turn else 'it is stored'}")
        if turn:
            pixels = TurnedPixels(pixels, header.orientation, height, width)
            swapped = TURNS[header.orientation][0]
            shape = (width, height, *shape[2:]) if swapped else shape
    axes = "YX" if bands == 1 else "YXC"
    return described(path, pixels, axes=axes, shape=shape, stored=dtype, notes=tuple(notes))


def _mode(image: Image.Image, data: bytes) -> str:
    """Pillow's, but for a PNG of deep gray and alpha, which it calls RGBA."""
    return "LA" if is_deep_png(data) and data[25] == 4 else image.mode


def _kind(
    mode: str, kind: str, bits: int, transparent: bool, notes: list[str]
) -> tuple[int, np.dtype[Any], str]:
    """Bands, type and Pillow's mode of what is read."""
    if mode.startswith("I;16"):
        return 1, _SIXTEEN, mode
    target = "RGBA" if mode == "P" and transparent else _PAINTED.get(mode, mode)
    if target not in _AS_STORED:
        raise RefusedError(f"has pixels of a kind that is not read ({mode}); convert it to RGB")
    bands = _AS_STORED[target]
    if target in ("LA", "RGBA"):
        notes.append(f"{'second' if target == 'LA' else 'fourth'} band is alpha")
    if target != mode:
        notes.append(f"{mode} read as {target}")
    if target == "CMYK":
        notes.append("inks (CMYK) are read as Pillow gives them")
    if bits <= 8 or target in _TYPES:
        return bands, _TYPES.get(target, np.dtype(np.uint8)), target
    if kind not in _DEEP:
        raise RefusedError(f"has {bits} bits a channel; convert it to a 16-bit PNG or TIFF")
    return bands, _SIXTEEN, ""


def is_deep_png(start: bytes) -> bool:
    """True for a PNG of 16 bits. start: of the file."""
    return start.startswith(_PNG) and len(start) > 24 and start[24] == 16
