"""Finds the warp that brings a reference onto an image, and says whether it can be trusted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.alignment.checks import Findings, verdict
from pipeline.alignment.compare import correlation, quality
from pipeline.alignment.geometry import MOTIONS, FloatArray, corner_distance, rescale
from pipeline.alignment.initial_warps import Start, apart, find_starts
from pipeline.alignment.local_check import disagreement
from pipeline.alignment.motion_selection import choose, descend
from pipeline.alignment.peak_ratio import echo
from pipeline.alignment.photometry import ByteImage, is_flat, to_gray
from pipeline.alignment.pyramid import Level, make_pyramid
from pipeline.config import AlignSettings
from pipeline.config.choices import Motion
from pipeline.size import Size

_SMALLEST_SIDE = 32
# Starts of this share of the best one's quality are followed to full size before one is taken.
_RIVAL_START = 0.85
_RIVALS = 3


@dataclass(frozen=True)
class Alignment:
    """The warp for one pair, float64 3x3, in the convention of `cv2.findTransformECC`.

    It takes pixels of the image (ECC's template) to pixels of the reference (ECC's input).

    status: "ok", or why the warp is not to be trusted; it is then the safest one at hand.
    motion: family of the warp. cc_before, cc_after: correlation of the band-passed images
    without (reference centred on the image) and with the warp. corner_px: standard error of the
    worst corner in pixels, infinite where nothing is known.
    """

    status: str
    motion: str
    warp: FloatArray
    cc_before: float
    cc_after: float
    corner_px: float
    seconds: float


def align(
    image: npt.NDArray[np.uint8], reference: npt.NDArray[np.uint8], settings: AlignSettings
) -> Alignment:
    """Align a reference with an image; sizes, channel counts and contrasts may differ.

    image, reference: HW or HWC uint8. The same input gives the same output.
    """
    began = time.perf_counter()
    found = _align_gray(to_gray(image), to_gray(reference), settings)
    return replace(found, seconds=time.perf_counter() - began)


def warp_reference(reference: npt.NDArray[Any], warp: FloatArray, size: Size) -> npt.NDArray[Any]:
    """The reference (HW or HWC, any type) on the image's pixels; size: H, W of the image.

    Pixels outside the reference are filled by reflection at its border.
    """
    warped = cv2.warpPerspective(
        reference,
        warp,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, dtype=reference.dtype).reshape(*size, *reference.shape[2:])


def no_alignment(status: str) -> Alignment:
    """The result for a pair that cannot be aligned."""
    return Alignment(status, "none", np.eye(3), 0.0, 0.0, np.inf, 0.0)


def centred(size: Size, reference_size: Size) -> FloatArray:
    """The warp that puts the middle of the reference on the middle of the image."""
    warp = np.eye(3)
    warp[0, 2] = (reference_size[1] - size[1]) / 2
    warp[1, 2] = (reference_size[0] - size[0]) / 2
    return warp


def _align_gray(image: ByteImage, reference: ByteImage, settings: AlignSettings) -> Alignment:
    size, reference_size = image.shape, reference.shape
    middle = centred((size[0], size[1]), (reference_size[0], reference_size[1]))
    nothing = Alignment("ok", "translation", middle, 0.0, 0.0, np.inf, 0.0)
    if image.shape == reference.shape and np.array_equal(image, reference):
        return replace(nothing, cc_before=1.0, cc_after=1.0, corner_px=0.0)
    if settings.motion == "none":
        return replace(nothing, motion="none")
    if min(*size, *reference_size) < _SMALLEST_SIDE:
        return replace(nothing, status="too small")
    if is_flat(image) or is_flat(reference):
        return replace(nothing, status="flat image")
    return _align_pictures(make_pyramid(image, reference), middle, settings)


def _align_pictures(levels: list[Level], middle: FloatArray, settings: AlignSettings) -> Alignment:
    pair = levels[-1].pair
    starts = find_starts(levels, rescale(middle, 1 / levels[0].factor), settings)
    start, rival = _best_start(levels, starts, settings)
    fits = descend(levels, _families(settings, start), start.warp, settings.iterations)
    richest = list(fits)[-1:] if settings.motion != "auto" else list(fits)
    choice = choose(pair, {family: fits[family] for family in richest}, settings.iterations)
    chosen = choice.fit
    findings = Findings(
        warp=chosen.warp,
        correlation=correlation(pair, chosen.warp),
        rival=rival,
        echo=echo(pair, chosen.warp),
        disagreement=disagreement(pair, chosen.warp),
        corner_px=choice.corner_px,
        converged=chosen.converged,
    )
    status = verdict(findings, pair.size, pair.reference_size, settings)
    before, corner = correlation(pair, middle), findings.corner_px
    if status in ("ok", "uncertain corners"):
        after = findings.correlation
        return Alignment(status, chosen.motion, chosen.warp, before, after, corner, 0.0)
    corner = float(np.hypot(corner, corner_distance(middle, chosen.warp, pair.size)))
    return Alignment(status, "translation", middle, before, before, corner, 0.0)


def _families(settings: AlignSettings, start: Start) -> tuple[Motion, ...]:
    """Families to fit, poor to rich; a zoomed start leaves out those that cannot zoom."""
    if settings.motion == "translation":
        return ("translation",)
    richest = "homography" if settings.motion == "auto" else settings.motion
    poorest = "affine" if start.zoomed else "euclidean"
    return MOTIONS[MOTIONS.index(poorest) : MOTIONS.index(richest) + 1]


def _best_start(
    levels: list[Level], starts: list[Start], settings: AlignSettings
) -> tuple[Start, float]:
    """The start that is best at full size, and the next best one's quality as a share of its."""
    close = [start for start in starts if start.quality > _RIVAL_START * starts[0].quality]
    if len(close) == 1:
        return starts[0], 0.0
    followed = [_followed(levels, start, settings) for start in close[:_RIVALS]]
    followed.sort(key=lambda entry: -entry.quality)
    others = apart(followed, levels[-1].pair.size)[1:]
    best = max(followed[0].quality, 1e-6)
    coarse = rescale(followed[0].warp, 1 / levels[0].factor)
    return replace(followed[0], warp=coarse), others[0].quality / best if others else 0.0


def _followed(levels: list[Level], start: Start, settings: AlignSettings) -> Start:
    """The start after the poorest family's fits down to the full size, and its quality there."""
    poorest = _families(settings, start)[0]
    warp = descend(levels, (poorest,), start.warp, settings.iterations)[poorest].warp
    return replace(start, warp=warp, quality=quality(levels[-1].pair, warp))
