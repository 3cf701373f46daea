"""Makes image and reference comparable: gray, band-passed, of equal contrast everywhere.

Gain, bias and slow light leave the band-pass alone or are divided out by the local contrast. What
stays are edges and fine texture, which also say most about position: fits on plain intensities
are led by the few large structures, and those differ between two copies of the same thing.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Float32Image = npt.NDArray[np.float32]
ByteImage = npt.NDArray[np.uint8]

_FINE_SIGMA = 0.7
_COARSE_SIGMA = 3.6
_CONTRAST_WINDOW = 49
# Share of the overall contrast below which a place counts as flat and is not amplified.
_CONTRAST_FLOOR = 0.25
_NOISE_FLOOR = 3.0
_FLAT_DEVIATION = 0.5


def to_gray(image: ByteImage) -> ByteImage:
    """HW, or HWC with 1 to 4 channels (an even number ends in alpha, which is left out) -> HW."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"want a HW or HWC uint8 image, got {image.dtype} of {image.shape}")
    if image.ndim == 2:
        return image
    channels = image.shape[2]
    if channels <= 2:
        return np.ascontiguousarray(image[:, :, 0])
    if channels > 4:
        raise ValueError(f"want 1 to 4 channels, got {channels}")
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[:, :, :3]), cv2.COLOR_RGB2GRAY))


def is_flat(gray: ByteImage) -> bool:
    """True if an image holds next to nothing: all gray levels within a fraction of a level."""
    return float(np.std(gray)) < _FLAT_DEVIATION


def band_pass(gray: ByteImage) -> Float32Image:
    """HW uint8 -> HW float32 of zero mean and about unit contrast everywhere."""
    values = gray.astype(np.float32)
    fine = cv2.GaussianBlur(values, (0, 0), _FINE_SIGMA)
    band = fine - cv2.GaussianBlur(values, (0, 0), _COARSE_SIGMA)
    window = (_CONTRAST_WINDOW, _CONTRAST_WINDOW)
    power = cv2.blur(cv2.blur(band * band, window), window)
    usual = 1.4826 * float(np.median(np.abs(band[::3, ::3])))
    floor = (_CONTRAST_FLOOR * float(band.std())) ** 2 + (_NOISE_FLOOR * usual) ** 2 + 1e-6
    return np.asarray(band / np.sqrt(power + floor), dtype=np.float32)
