"""What the stored numbers of a TIFF stand for: inverted gray, palettes, alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.tiff_pages import Tiff
from pipeline.data.pages import RefusedError

if TYPE_CHECKING:
    import tifffile

_WHITE_IS_ZERO, _PALETTE, _YCBCR = 0, 3, 6
_READ_AS_STORED = {
    1: "", 2: "", 4: "", 5: "inks (CMYK) are read as stored", 32844: "", 34892: "",
    8: "CIELAB colours are read as stored", 9: "ICC L*a*b* colours are read as stored",
}  # fmt: skip
_DECODED_TO_RGB = {6, 7, 33003, 33005, 33007, 34712, 34892, 50001}
"""Compressions whose decoders undo YCbCr: JPEG, JPEG 2000, WebP."""
_ALPHA = {1: "associated: colours are multiplied by it", 2: "unassociated"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def check_colours(tiff: Tiff) -> None:
    """RefusedError for stored numbers whose meaning is not known."""
    key = tiff.key
    photometric = int(key.photometric) if key.photometric is not None else 1
    if photometric in (_WHITE_IS_ZERO, *_READ_AS_STORED):
        return
    if photometric == _PALETTE and tiff.palette is not None and key.samplesperpixel == 1:
        return
    if photometric == _YCBCR and (key.compression in _DECODED_TO_RGB or key.samplesperpixel != 3):
        return
    name = getattr(key.photometric, "name", photometric)
    raise RefusedError(f"has colours that are not read ({name}); convert it to RGB or gray")


def is_palette(key: tifffile.TiffPage) -> bool:
    return key.photometric == _PALETTE


def inverted_at(key: tifffile.TiffPage, dtype: np.dtype[Any]) -> int | None:
    """The number that is black, of images in which zero is white; None of others."""
    if key.photometric != _WHITE_IS_ZERO or dtype.kind not in "ub":
        return None
    return int(2 ** int(np.max(key.bitspersample)) - 1)


def painted(tiff: Tiff, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels as viewers show them: YX of a palette becomes YXC uint8 RGB."""
    if is_palette(tiff.key) and tiff.palette is not None:
        colours = tiff.palette.T
        eight_bits = colours if colours.max(initial=0) < 256 else colours >> 8
        return np.asarray(eight_bits.astype(np.uint8)[pixels])
    most = inverted_at(tiff.key, pixels.dtype)
    if most is None:
        return pixels
    return ~pixels if pixels.dtype == np.bool_ else np.asarray(most - pixels, pixels.dtype)


def colour_notes(key: tifffile.TiffPage, dtype: np.dtype[Any]) -> list[str]:
    """What a person should know of the meaning of the numbers."""
    notes = [_READ_AS_STORED.get(int(key.photometric or 0), "")]
    if is_palette(key):
        notes.append("palette read as RGB")
    elif key.photometric == _WHITE_IS_ZERO:
        inverted = inverted_at(key, dtype) is not None
        notes.append(f"white is stored as zero: {'inverted' if inverted else 'read as stored'}")
    first = key.samplesperpixel - len(key.extrasamples)
    for number, kind in enumerate(key.extrasamples, first):
        if kind in _ALPHA:
            place = _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"
            notes.append(f"{place} sample is tagged as alpha ({_ALPHA[kind]})")
    return [note for note in notes if note]
