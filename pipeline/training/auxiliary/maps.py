"""Target maps that are made from the truth of a crop: boundary, distance and centre.

An object is a part of a class that hangs together, or what masks tell to be one. Maps are uint8,
0..TOP for 0..1; what is void is UNKNOWN. The edge of a crop is no boundary.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.auxiliary import BoundaryMap, CentreMap, DistanceMap, MapOutput
from pipeline.data.object_codes import groups_of
from pipeline.models.auxiliary.target import TOP, UNKNOWN

Map = NDArray[np.float32]


class Objects(NamedTuple):
    """The objects of one class in a crop."""

    labels: NDArray[np.int32]
    """HW, 0 = outside of all."""
    number: int
    """Their largest number."""
    known: NDArray[np.bool_]
    """HW, False where a pixel is void."""
    touching: bool = True
    """False where no two of them touch."""


def target_map(output: MapOutput, objects: Objects) -> NDArray[np.uint8]:
    """The target of an output for one class, HW."""
    if isinstance(output, BoundaryMap):
        values, known = boundary(objects, output.width)
    elif isinstance(output, DistanceMap):
        values, known = distance(objects)
    else:
        assert isinstance(output, CentreMap)
        values, known = centre(objects, output.sigma), objects.known
    levels = np.rint(values * np.float32(TOP)).astype(np.uint8)
    levels[~known] = UNKNOWN
    return np.asarray(levels)


def boundary(objects: Objects, width: int) -> tuple[Map, NDArray[np.bool_]]:
    """1 up to `width` pixels (Euclidean) from where an object meets another, or the outside.

    Chen et al. 2016 (DCAN) learn contours of such a width beside masks.
    """
    edges = _edges(objects).astype(np.uint8)
    if not edges.any():
        return np.zeros(edges.shape, np.float32), objects.known
    away = cv2.distanceTransform(1 - edges, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (away < width).astype(np.float32), objects.known


def distance(objects: Objects) -> tuple[Map, NDArray[np.bool_]]:
    """Distance of a pixel inside to the nearest one that is not of its object, as a share of the
    largest in that object; 0 outside.

    Naylor et al. 2019 learn such distances, in pixels. Nothing is known of an object without any
    boundary in the crop.
    """
    labels, inside = objects.labels, objects.labels > 0
    depth = np.zeros(labels.shape, np.float32)
    # objects of one group do not touch, so that what is nearest to one is not of the group
    group = groups_of(labels, objects.number)[labels] if objects.touching else inside * 1
    for number in range(1, int(group.max(initial=0)) + 1):
        mine = group == number
        if (objects.known & ~mine).any():
            other = (mine | ~objects.known).view(np.uint8)
            away = cv2.distanceTransform(other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            depth[mine] = away[mine]
    deepest = np.ones(objects.number + 1, np.float32)
    np.maximum.at(deepest, labels[inside], depth[inside])
    bounded = np.zeros(objects.number + 1, bool)
    bounded[labels[_edges(objects)]] = True
    bounded[0] = True
    return depth / deepest[labels], objects.known & bounded[labels]


def centre(objects: Objects, sigma: float) -> Map:
    """exp(−r² / 2s²) inside of an object, r from its centre of mass; 0 outside.

    s: `sigma` times the radius of a disc of the object's area, so that all objects have bumps of
    the same height and form. Cheng et al. 2020 (Panoptic-DeepLab) learn bumps of one fixed width.
    """
    labels = objects.labels
    rows, columns = np.nonzero(labels)
    of = labels[rows, columns]
    areas = np.maximum(np.bincount(of, minlength=objects.number + 1), 1)
    top = np.bincount(of, rows, minlength=objects.number + 1) / areas
    left = np.bincount(of, columns, minlength=objects.number + 1) / areas
    squared = (rows - top[of]) ** 2 + (columns - left[of]) ** 2
    bumps = np.zeros(labels.shape, np.float32)
    bumps[rows, columns] = np.exp(-squared / (2 * sigma**2 * areas[of] / np.pi))
    return bumps


def _edges(objects: Objects) -> NDArray[np.bool_]:
    """The pixels on both sides of each boundary; none between a pixel that is void and another."""
    labels, known = objects.labels, objects.known
    edges = np.zeros(labels.shape, bool)
    for here, there in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[1:], np.s_[:-1]),
    ):
        meet = (labels[here] != labels[there]) & known[here] & known[there]
        edges[here] |= meet
        edges[there] |= meet
    return edges
