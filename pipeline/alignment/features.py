"""Starts for pairs that are turned or zoomed a lot: SIFT matches that agree on one similarity."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.alignment.geometry import FloatArray
from pipeline.alignment.photometry import ByteImage, Float32Image

_FEATURES = 1500
_RATIO = 0.8
_TOLERANCE = 3.0
_FEWEST_MATCHES = 10
_RANSAC_ITERATIONS = 3000


def _described(gray: ByteImage) -> tuple[FloatArray, Float32Image | None]:
    """Places (x, y) and descriptors; contrast is evened out first."""
    even = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(4, 4)).apply(gray)
    points, found = cv2.SIFT.create(nfeatures=_FEATURES).detectAndCompute(even, None)
    descriptors = None if found is None else np.asarray(found, dtype=np.float32)
    return np.array([point.pt for point in points], dtype=np.float64), descriptors


def match(image: ByteImage, reference: ByteImage) -> FloatArray | None:
    """The similarity on which most matches agree, or None where too few do.

    image, reference: HW uint8 of the same scale; deterministic, OpenCV's sampling has a fixed seed.
    """
    image_points, image_features = _described(image)
    reference_points, reference_features = _described(reference)
    if image_features is None or reference_features is None or len(reference_features) < 2:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(image_features, reference_features, k=2)
    good = [first for first, second in pairs if first.distance < _RATIO * second.distance]
    if len(good) < _FEWEST_MATCHES:
        return None
    source = image_points[[entry.queryIdx for entry in good]]
    target = reference_points[[entry.trainIdx for entry in good]]
    affine, agree = cv2.estimateAffinePartial2D(
        source, target, None, cv2.RANSAC, _TOLERANCE, _RANSAC_ITERATIONS, 0.999
    )
    if affine is None or int(agree.sum()) < _FEWEST_MATCHES:
        return None
    return np.vstack([affine, [0.0, 0.0, 1.0]])
