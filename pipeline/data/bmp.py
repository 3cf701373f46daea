"""BMP with a palette of grays: Pillow takes its pixels for as many bits as the grays need."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from pipeline.data.pages import RefusedError

_BITS_OF = {"1": 1, "L": 8}
"""What Pillow takes for the bits of a pixel where it leaves out the palette."""


def decode_misread(image: Image.Image, data: bytes) -> Image.Image | None:
    """The gray levels, 8 bits, of a BMP that Pillow would misread; None for all other images.

    A palette of black and white in 4 or 8 bits a pixel, as Pillow itself writes it, is such a one.
    """
    wanted = _BITS_OF.get(image.mode)
    if image.format != "BMP" or wanted is None or wanted == _bits_a_pixel(data):
        return None
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if found is None or found.shape[:2] != (image.height, image.width):
        raise RefusedError("cannot be decoded (a damaged BMP); get the file again")
    return Image.fromarray(np.ascontiguousarray(found[..., 0]))


def _bits_a_pixel(data: bytes) -> int:
    """Of the header, whose first kind (of OS/2) is shorter."""
    at = 24 if int.from_bytes(data[14:18], "little") == 12 else 28
    return int.from_bytes(data[at : at + 2], "little")
