"""`cv2.findTransformECC` (Evangelidis and Psarakis, 2008) that never raises and never runs away."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.alignment.compare import Pair
from pipeline.alignment.geometry import FloatArray, corner_distance
from pipeline.config.choices import Motion

_ITERATIONS = 40
_EPSILON = 1e-4
_BLUR = 3
# A start is good to a few pixels; a result further off than this share of the image is nonsense.
_FURTHEST = 0.25
_MOTION_TYPES: dict[Motion, int] = {
    "translation": cv2.MOTION_TRANSLATION,
    "euclidean": cv2.MOTION_EUCLIDEAN,
    "affine": cv2.MOTION_AFFINE,
    "homography": cv2.MOTION_HOMOGRAPHY,
}


def improve(pair: Pair, warp: FloatArray, motion: Motion) -> FloatArray | None:
    """The ECC warp of one family from a start inside it; None where ECC gives up or runs away.

    All arguments go by place: their names and the last of them differ between OpenCV 4 and 5.
    """
    rows = 3 if motion == "homography" else 2
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _EPSILON)
    start = np.ascontiguousarray(warp[:rows], dtype=np.float32)
    everywhere = np.full(pair.reference.shape, 255, dtype=np.uint8)
    try:
        _, found = cv2.findTransformECC(
            pair.image, pair.reference, start, _MOTION_TYPES[motion], criteria, everywhere, _BLUR
        )
    except cv2.error:
        return None
    result = np.eye(3)
    result[:rows] = found
    if not np.isfinite(result).all() or abs(result[2, 2]) < 1e-6:
        return None
    result /= result[2, 2]
    limit = _FURTHEST * max(pair.size)
    return result if corner_distance(warp, result, pair.size) <= limit else None
