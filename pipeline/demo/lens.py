"""What a camera does to a picture: blur, fall-off of light, exposure, noise, rounding to bytes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Lens:
    """blur: sigma in pixels; falloff: light lost in the corners, 0..1; gain: RGB factors;
    noise: sigma at white, in 0..1."""

    blur: float
    falloff: float
    gain: NDArray[np.float64]
    noise: float


def draw_lens(rng: np.random.Generator) -> Lens:
    """An ordinary camera by chance."""
    gain = rng.uniform(0.95, 1.2) * (1 + rng.normal(0, 0.02, 3))
    return Lens(
        blur=float(rng.uniform(0.35, 0.85)),
        falloff=float(rng.uniform(0.0, 0.25)),
        gain=gain,
        noise=float(rng.uniform(0.006, 0.025)),
    )


def expose(picture: Picture, lens: Lens, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph a scene (float32 HxWx3 in 0..1): uint8 HxWx3."""
    height, width = picture.shape[:2]
    seen = blurred(picture, lens.blur)
    rows = (np.arange(height, dtype=np.float32)[:, None] / height - 0.5) ** 2
    columns = (np.arange(width, dtype=np.float32)[None] / width - 0.5) ** 2
    seen = seen * (1 - 2 * lens.falloff * (rows + columns))[..., None] * lens.gain
    grain = rng.standard_normal(seen.shape, np.float32)
    seen = seen + lens.noise * np.sqrt(np.maximum(seen, 0.02)) * grain
    return np.asarray(np.rint(np.clip(seen, 0, 1) * 255), np.uint8)


def blurred(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur with mirrored borders; sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
