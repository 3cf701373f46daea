"""Overlays that show where a decision and the ground truth agree."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth


class PixelOutcome(NamedTuple):
    """The outcome of a decision at a pixel, and its colour."""

    label: str
    colour: tuple[int, int, int]
    """RGB, 0..255."""


RIGHT = PixelOutcome("found", (46, 204, 113))
FALSE = PixelOutcome("too much", (231, 64, 52))
MISSED = PixelOutcome("missed", (52, 120, 255))
CONFUSED = PixelOutcome("another class", (190, 60, 220))
VOID = PixelOutcome("void, counts nowhere", (128, 128, 128))
OUTCOMES = (RIGHT, FALSE, MISSED, CONFUSED, VOID)

_TINT = 0.5
# Several classes often fill the picture: hits must not hide it.
_TINT_OF_HITS_AMONG_SEVERAL = 0.2
# The picture itself is drained of most of its colour so that a green car is not taken for a hit.
_SATURATION = 0.35
_HATCH_ACROSS_IMAGE = 60
_LINES_ACROSS_IMAGE = 360


def overlay(
    image: NDArray[np.uint8], truth: Truth, decision: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Paint a decision (bool CHW) over its image (HWC uint8 RGB): HWC uint8 RGB of the same size.

    Green is in truth and decision, red in the decision only, blue in the truth only; purple where
    the truth has one class and the decision another; void is hatched gray. Colours have outlines.
    """
    assert decision.shape == truth.planes.shape, f"{decision.shape} != {truth.planes.shape}"
    assert image.shape == (*truth.size, 3), f"{image.shape} is not an image of {truth.size}"
    painted = _faded(image)
    outcomes = _outcomes(truth, decision)
    for outcome, mask in outcomes:
        light = outcome is RIGHT and len(decision) > 1
        strength = _TINT_OF_HITS_AMONG_SEVERAL if light else _TINT
        _tint(painted, mask & _hatch(mask.shape) if outcome is VOID else mask, outcome, strength)
    thickness = max(1, round(max(truth.size) / _LINES_ACROSS_IMAGE))
    for outcome, mask in outcomes:
        if outcome is not VOID:
            _outline(painted, mask, outcome, thickness)
    return painted


def _outcomes(
    truth: Truth, decision: NDArray[np.bool_]
) -> list[tuple[PixelOutcome, NDArray[np.bool_]]]:
    """The pixels (bool HW) of each outcome; a pixel has at most one."""
    planes = truth.planes.astype(bool)
    counts = np.ones(truth.size, bool) if truth.valid is None else truth.valid
    false = (decision & ~planes).any(axis=0) & counts
    missed = (planes & ~decision).any(axis=0) & counts
    right = (planes & decision).any(axis=0) & counts & ~false & ~missed
    masks = (right, false & ~missed, missed & ~false, false & missed, ~counts)
    return list(zip(OUTCOMES, masks, strict=True))


def _faded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(image, _SATURATION, gray, 1 - _SATURATION, 0), np.uint8)


def _tint(
    painted: NDArray[np.uint8], mask: NDArray[np.bool_], outcome: PixelOutcome, strength: float
) -> None:
    mixed = painted[mask] * (1 - strength) + np.array(outcome.colour) * strength
    painted[mask] = np.rint(mixed).astype(np.uint8)


def _hatch(size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Diagonal stripes: bool HW."""
    width = max(2, max(size) // (2 * _HATCH_ACROSS_IMAGE))
    rows, columns = np.ogrid[: size[0], : size[1]]
    stripes: NDArray[np.bool_] = (rows + columns) // width % 2 == 0
    return stripes


def _outline(
    painted: NDArray[np.uint8], mask: NDArray[np.bool_], outcome: PixelOutcome, thickness: int
) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(painted, contours, -1, outcome.colour, thickness)
