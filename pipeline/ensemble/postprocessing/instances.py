"""From a blended decision to disjoint objects, for competitions that want a row an object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def connected_instances(decision: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 8-connected components of each class, int32 CHW: 0 = none, 1.. = object.

    Objects that touch are one, unless the step `watershed` has cut the decision between them.
    """
    return np.stack([components(plane) for plane in decision])


def components(plane: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 8-connected components of HW, numbered from 1."""
    labels = cv2.connectedComponents(plane.view(np.uint8), connectivity=8)[1]
    return np.asarray(labels, np.int32)
