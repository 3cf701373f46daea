"""Frames of DICOM in compressions that pydicom has no decoder for, unless others are installed:
lossless JPEG, JPEG of 12 bits and JPEG-LS, which imagecodecs knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.extras import library

_DECODERS = {
    "1.2.840.10008.1.2.4.51": "jpeg8_decode",
    "1.2.840.10008.1.2.4.57": "ljpeg_decode",
    "1.2.840.10008.1.2.4.70": "ljpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
}
"""Transfer syntax → the function of imagecodecs (DICOM PS3.5, A.4)."""
_DECODED_AS_STORED = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"}


def decoded(dataset: Any, frame: int) -> NDArray[Any] | None:
    """A frame as it is stored, YX or YXC; None where its compression or colours are not known."""
    name = _DECODERS.get(str(dataset.file_meta.TransferSyntaxUID))
    if name is None or dataset.PhotometricInterpretation not in _DECODED_AS_STORED:
        return None
    import imagecodecs

    encaps = library("pydicom.encaps", "dicom", "DICOM")
    frames = int(dataset.get("NumberOfFrames") or 1)
    data = encaps.get_frame(dataset.PixelData, frame, number_of_frames=frames)
    pixels = np.asarray(getattr(imagecodecs, name)(data))
    if pixels.shape[:2] != (dataset.Rows, dataset.Columns):
        raise ValueError(f"a frame is {pixels.shape[0]}×{pixels.shape[1]}, which is not its size")
    return _signed(pixels, int(dataset.BitsStored)) if dataset.PixelRepresentation else pixels


def _signed(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Numbers whose highest bit is their sign, which JPEG does not know."""
    sign = np.int32(1 << (bits - 1))
    return np.asarray(((pixels.astype(np.int32) & (2 * sign - 1)) ^ sign) - sign)
