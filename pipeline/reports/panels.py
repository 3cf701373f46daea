"""The panels of one case, side by side: image, ground truth, prediction, differences."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.colours import RGB
from pipeline.data.ground_truth import Truth
from pipeline.data.resize import resize_image, resize_planes
from pipeline.reports.data_uri import image_uri
from pipeline.reports.html import Picture
from pipeline.reports.overlay import VOID, overlay
from pipeline.size import Size

LONGEST = 640
"""Pixels of a picture's longer side on the page; what is below half of it is enlarged."""
_TINT = 0.6


def truth_panels(
    image: NDArray[np.uint8], truth: Truth, decision: NDArray[np.bool_], colours: Sequence[RGB]
) -> list[Picture]:
    """Image (HWC uint8 RGB) | ground truth | prediction (bool CHW) | differences."""
    shown = _at_page_size(image)
    size = (shown.shape[0], shown.shape[1])
    planes = _planes(truth.planes, size)
    valid = None
    if truth.valid is not None:
        valid = _planes(truth.valid[None].view(np.uint8), size)[0].view(np.bool_)
    decided = _planes(decision.view(np.uint8), size).view(np.bool_)
    true = paint_classes(shown, planes.view(np.bool_), colours)
    if valid is not None:
        true[~valid] = VOID.colour
    if truth.instances is not None:
        true[_borders(truth.instances, size)] = 0
    objects = [number for number, colour in enumerate(colours) if any(colour)]  # no background
    return [
        _picture(shown, "image"),
        _picture(true, "ground truth"),
        _picture(paint_classes(shown, decided, colours), "prediction"),
        _picture(overlay(shown, Truth(planes[objects], valid), decided[objects]), "differences"),
    ]


def prediction_panels(
    image: NDArray[np.uint8], decision: NDArray[np.bool_], colours: Sequence[RGB]
) -> list[Picture]:
    """Image (HWC uint8 RGB) | prediction (bool CHW)."""
    shown = _at_page_size(image)
    decided = _planes(decision.view(np.uint8), (shown.shape[0], shown.shape[1])).view(np.bool_)
    return [
        _picture(shown, "image"),
        _picture(paint_classes(shown, decided, colours), "prediction"),
    ]


def paint_classes(
    image: NDArray[np.uint8], planes: NDArray[np.bool_], colours: Sequence[RGB]
) -> NDArray[np.uint8]:
    """The image with each class (bool CHW) in its colour, outlined; black is background: as it is.

    Where classes overlap the later one is on top.
    """
    painted, width = image.copy(), max(1, round(max(image.shape[:2]) / 360))
    for plane, colour in zip(planes, colours, strict=True):
        if not any(colour):
            continue
        mixed = image[plane] * (1 - _TINT) + np.array(colour) * _TINT
        painted[plane] = np.rint(mixed).astype(np.uint8)
        found, _ = cv2.findContours(plane.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(painted, found, -1, colour, width)
    return painted


def _at_page_size(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrunk to the page, or enlarged a whole number of times, so that pixels stay squares."""
    longest = max(image.shape[:2])
    if longest > LONGEST:
        height, width = (max(1, round(side * LONGEST / longest)) for side in image.shape[:2])
        return resize_image(image, (height, width))
    times = LONGEST // longest
    return image.repeat(times, axis=0).repeat(times, axis=1)


def _planes(planes: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """CHW planes of 0/1 at the size that their image is shown in."""
    times = size[0] // planes.shape[1]
    if times > 1 and size == (planes.shape[1] * times, planes.shape[2] * times):
        return planes.repeat(times, axis=1).repeat(times, axis=2)
    return resize_planes(planes, size)


def _borders(instances: NDArray[np.int32], size: Size) -> NDArray[np.bool_]:
    """Where one object ends and another begins: bool HW."""
    rows = np.arange(size[0]) * instances.shape[1] // size[0]
    columns = np.arange(size[1]) * instances.shape[2] // size[1]
    shown = instances[:, rows][:, :, columns]
    borders = np.zeros(size, bool)
    for plane in shown:
        down = (plane[1:] != plane[:-1]) & (plane[1:] > 0) & (plane[:-1] > 0)
        right = (plane[:, 1:] != plane[:, :-1]) & (plane[:, 1:] > 0) & (plane[:, :-1] > 0)
        borders[1:] |= down
        borders[:, 1:] |= right
    return cv2.dilate(borders.view(np.uint8), np.ones((2, 2), np.uint8)).view(np.bool_)


def _picture(image: NDArray[np.uint8], caption: str) -> Picture:
    return Picture(image_uri(image, LONGEST), caption)
