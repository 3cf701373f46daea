"""Chooses the start: plain places first, then small turns and zooms, then local features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.alignment.coarse_search import distinct, search
from pipeline.alignment.compare import Pair, quality
from pipeline.alignment.ecc import improve
from pipeline.alignment.features import match
from pipeline.alignment.geometry import (
    FloatArray,
    map_points,
    rescale,
    scale_and_rotation,
    similarity,
)
from pipeline.alignment.pyramid import Level
from pipeline.config import AlignSettings
from pipeline.config.choices import Motion
from pipeline.size import Size

# Quality (of the coarsest images) from which on no other kind of start is tried.
_GOOD = 0.7
_TURNS = (0.0, 4.0, -4.0, 8.0, -8.0, 12.0, -12.0)
_ZOOM_STEP = 1.07
# A zoom nearer to one than this is left to the fit.
_NO_ZOOM = 0.03
_FEATURE_SIDE = 640


@dataclass(frozen=True)
class Start:
    """warp: between the coarsest images, with its quality there; zoomed: its scale is not one."""

    warp: FloatArray
    quality: float
    zoomed: bool


def find_starts(levels: list[Level], middle: FloatArray, settings: AlignSettings) -> list[Start]:
    """Distinct warps at the coarsest level, best first.

    levels: coarse to fine; middle: the warp between the coarsest images that needs no search.
    """
    starts: list[Start] = []
    for stage in (_upright, _turned, _matched):
        warps = [middle] if not starts else []
        warps += [_allowed(warp, levels[0].pair.size, settings) for warp in stage(levels, settings)]
        starts += [_polished(levels[0].pair, warp, settings) for warp in warps]
        starts.sort(key=lambda start: -start.quality)
        if starts[0].quality > _GOOD:
            break
    return apart(starts, levels[0].pair.size)


def may_zoom(settings: AlignSettings) -> bool:
    """True if the family the user asked for can change scale."""
    return settings.motion in ("auto", "affine", "homography")


def _zooms(levels: list[Level], settings: AlignSettings) -> list[float]:
    """One, and steps up (or down) to the scale at which both show the same field."""
    if not may_zoom(settings):
        return [1.0]
    image, reference = levels[0].gray
    ratio = float(np.sqrt(reference.size / image.size))
    steps = int(np.ceil(abs(np.log(ratio)) / np.log(_ZOOM_STEP) - 0.25))
    return [float(ratio ** (step / max(steps, 1))) for step in range(steps + 1)]


def _upright(levels: list[Level], settings: AlignSettings) -> list[FloatArray]:
    """The best places without a turn."""
    return search(*levels[0].gray, [(0.0, zoom) for zoom in _zooms(levels, settings)])


def _turned(levels: list[Level], settings: AlignSettings) -> list[FloatArray]:
    """The best places with a small turn and zoom."""
    if settings.motion == "translation":
        return []
    zooms = _zooms(levels, settings)
    around = {1.0, *zooms}
    if may_zoom(settings):
        around |= {min(zooms) / _ZOOM_STEP, max(zooms) * _ZOOM_STEP}
    return search(*levels[0].gray, [(turn, zoom) for zoom in sorted(around) for turn in _TURNS])


def _matched(levels: list[Level], settings: AlignSettings) -> list[FloatArray]:
    """The place that local features give, if any; it may be turned a lot."""
    if settings.motion == "translation":
        return []
    fitting = [level for level in levels if max(level.gray[0].shape) <= _FEATURE_SIDE]
    level = (fitting or levels)[-1]
    warp = match(*level.gray)
    return [] if warp is None else [rescale(warp, level.factor / levels[0].factor)]


def _zoomed(warp: FloatArray, size: Size, settings: AlignSettings) -> bool:
    return may_zoom(settings) and abs(scale_and_rotation(warp, size)[0] - 1.0) > _NO_ZOOM


def _allowed(warp: FloatArray, size: Size, settings: AlignSettings) -> FloatArray:
    """The warp, less a zoom that is too small to count, or that the user's family cannot have."""
    if _zoomed(warp, size, settings):
        return warp
    centre = np.array([[(size[1] - 1) / 2, (size[0] - 1) / 2]])
    turn = scale_and_rotation(warp, size)[1]
    return similarity(1.0, turn, centre[0], map_points(warp, centre)[0])


def _polished(pair: Pair, warp: FloatArray, settings: AlignSettings) -> Start:
    """The warp improved by ECC, where that helps."""
    zoomed = _zoomed(warp, pair.size, settings)
    family: Motion = "affine" if zoomed else "euclidean"
    start = Start(warp, quality(pair, warp), zoomed)
    found = improve(pair, warp, "translation" if settings.motion == "translation" else family)
    if found is None:
        return start
    return max(start, Start(found, quality(pair, found), zoomed), key=lambda either: either.quality)


def apart(starts: list[Start], size: Size) -> list[Start]:
    """The starts, less those that come to the same place as an earlier one."""
    places = distinct([start.warp for start in starts], size)
    return [start for start in starts if any(start.warp is place for place in places)]
