"""Fits all families of motion from coarse to fine, and picks the poorest that explains the pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.alignment.compare import Pair, correlation
from pipeline.alignment.geometry import FloatArray, corner_distance, map_points, rescale
from pipeline.alignment.motion_test import MotionEvidence
from pipeline.alignment.pyramid import Level
from pipeline.alignment.refine import MotionFit, fit
from pipeline.config.choices import Motion

# F values beyond this have a probability of 1 % for 2 or 3 and 12 degrees of freedom.
SUPPORTED = 6.9
_IN_DOUBT = 2.0
_UNSEEN = 0.2
# A family may be left out on the way (a keystone whose affine part is small), for a strong reason.
_LEAP = 80.0
# Turns that move no corner by more than this (pixels) may turn out to be none.
_SMALL_TURN = 1.5


def climb(
    pair: Pair, families: tuple[Motion, ...], starts: dict[Motion, FloatArray], iterations: int
) -> dict[Motion, MotionFit]:
    """Each family fitted at one level, from its own start or from the next poorer one's result.

    starts: warps at this level; the poorest family must have one.
    """
    fits: dict[Motion, MotionFit] = {}
    for place, family in enumerate(families):
        options = [starts[family]] if family in starts else []
        if place > 0:
            options.append(fits[families[place - 1]].warp)
        start = max(options, key=lambda warp: correlation(pair, warp))
        fits[family] = fit(pair, start, family, iterations)
    return fits


def descend(
    levels: list[Level], families: tuple[Motion, ...], start: FloatArray, iterations: int
) -> dict[Motion, MotionFit]:
    """All families fitted level by level, coarse to fine; the result is that of the finest.

    start: a warp of the poorest family (up to a scale) between the coarsest images.
    """
    warps = {families[0]: rescale(start, levels[0].factor)}
    fits: dict[Motion, MotionFit] = {}
    for level in levels:
        starts = {family: rescale(warp, 1 / level.factor) for family, warp in warps.items()}
        fits = climb(level.pair, families, starts, iterations)
        warps = {family: rescale(found.warp, level.factor) for family, found in fits.items()}
    return fits


@dataclass(frozen=True)
class ChosenMotion:
    """The fit of the chosen family, and the standard error of its worst corner in pixels."""

    fit: MotionFit
    corner_px: float


def choose(pair: Pair, fits: dict[Motion, MotionFit], iterations: int) -> ChosenMotion:
    """The richest family that is supported step by step; `fits` go from poor to rich.

    The next richer family adds to the uncertainty: where it has some support, but too little, by
    the distance between the two; and by a share of what it could do without being seen.
    """
    families = list(fits)
    chosen, doubt, unseen = fits[families[0]], 0.0, 0.0
    for place, family in enumerate(families[1:], start=1):
        follows = chosen.motion == families[place - 1]
        evidence = MotionEvidence(fits[family], pair.size)
        support = evidence.support(chosen)
        if support > (SUPPORTED if follows else _LEAP):
            chosen, doubt, unseen = fits[family], 0.0, 0.0
        elif follows:
            unseen = _UNSEEN * evidence.corner_deviation()
            apart = corner_distance(chosen.warp, fits[family].warp, pair.size)
            doubt = apart if support > _IN_DOUBT else 0.0
    if chosen.motion == "euclidean":
        chosen = _unturned(pair, chosen, iterations) or chosen
    own = MotionEvidence(chosen, pair.size).corner_deviation()
    return ChosenMotion(chosen, float(np.linalg.norm([own, doubt, unseen])))


def _unturned(pair: Pair, turned: MotionFit, iterations: int) -> MotionFit | None:
    """The translation in place of a Euclidean fit, where the turn is not supported."""
    height, width = pair.size
    centre = np.array([[(width - 1) / 2, (height - 1) / 2]])
    shift = np.eye(3)
    shift[:2, 2] = (map_points(turned.warp, centre) - centre)[0]
    if corner_distance(shift, turned.warp, pair.size) > _SMALL_TURN:
        return None
    shifted = fit(pair, shift, "translation", iterations)
    return None if MotionEvidence(turned, pair.size).support(shifted) > SUPPORTED else shifted
