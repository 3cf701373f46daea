"""Self-check by windows: each looks around for a better place than the warp gives it.

Dense fits judge a warp only within a pixel or two; a wrong repeat of a pattern, or a corner that
slipped, leaves windows that clearly match better some pixels away.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from pipeline.alignment.compare import Pair, warp_with_overlap
from pipeline.alignment.geometry import FloatArray
from pipeline.alignment.photometry import Float32Image

_WINDOWS = 6
_REACH = 8
_SMALLEST_WINDOW = 24
# Root mean square of the band-passed window, of which the whole image has about 0.7.
_STRUCTURE = 0.25
# Correlation by which another place must be better, and how far (pixels) it must be.
_BETTER = 0.12
_FURTHER = 1.5


def _windows(pair: Pair, warp: FloatArray) -> Iterator[tuple[Float32Image, Float32Image]]:
    """Pieces of the image, and the middle of each in the warped reference."""
    warped, overlap = warp_with_overlap(pair, warp)
    height, width = pair.size
    side = max(_SMALLEST_WINDOW + 2 * _REACH, max(height, width) // _WINDOWS)
    for top in range(0, max(1, height - side + 1), side):
        for left in range(0, max(1, width - side + 1), side):
            whole = np.s_[top : top + side, left : left + side]
            if overlap[whole].mean() > 0.75:
                inner = warped[whole][_REACH:-_REACH, _REACH:-_REACH]
                yield pair.image[whole], np.ascontiguousarray(inner)


def disagreement(pair: Pair, warp: FloatArray) -> float:
    """Share (0..1) of the windows with structure that match better elsewhere; 0 without any."""
    votes = []
    for image, reference in _windows(pair, warp):
        if min(float(image.std()), float(reference.std())) < _STRUCTURE:
            continue
        scores = cv2.matchTemplate(image, reference, cv2.TM_CCOEFF_NORMED)
        row, column = divmod(int(scores.argmax()), scores.shape[1])
        centre_row, centre_column = scores.shape[0] // 2, scores.shape[1] // 2
        here = float(
            scores[centre_row - 1 : centre_row + 2, centre_column - 1 : centre_column + 2].max()
        )
        far = max(abs(row - centre_row), abs(column - centre_column)) > _FURTHER
        votes.append(far and float(scores[row, column]) > here + _BETTER)
    return float(np.mean(votes)) if votes else 0.0
