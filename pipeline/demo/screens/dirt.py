"""Dirt on a screen: specks, hairs, smears and dead pixels, each of a few pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_FINER = 4
_CLEAN = 0.08  # share of the photographs without any dust on the screen
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Dirt:
    """One piece. cover: float32 HxW, share of each pixel in 0..1; tone: RGB in 0..1;
    opacity: how much of what is behind it hides, in 0..1."""

    cover: NDArray[np.float32]
    tone: NDArray[np.float64]
    opacity: float


def draw_dust(picture: NDArray[np.float32], rng: np.random.Generator) -> list[Dirt]:
    """Dust that lies on a screen by chance; picture: HxWx3 in 0..1, what is behind it.

    Most pieces are of another brightness than what they hide, as dirt that anybody marks is.
    """
    if rng.random() < _CLEAN:
        return []
    return [_piece(picture, rng) for _ in range(rng.integers(1, 7))]


def dead_pixel(
    size: tuple[int, int], place: tuple[float, float], tone: NDArray[np.float64]
) -> Dirt:
    """A spot of the screen itself that shows one tone; place: x, y in pixels."""
    square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * 1.1
    return Dirt(_polygon(size, square + np.array(place)), tone, 0.95)


def with_dirt(picture: NDArray[np.float32], pieces: list[Dirt]) -> NDArray[np.float32]:
    """The picture (float32 HxWx3 in 0..1) with the pieces on it."""
    for piece in pieces:
        cover = (piece.cover * piece.opacity)[..., None]
        picture = np.asarray(picture * (1 - cover) + piece.tone * cover, np.float32)
    return picture


def truth(size: tuple[int, int], pieces: list[Dirt]) -> NDArray[np.bool_]:
    """Where a piece covers at least half of the pixel: bool HxW."""
    mask = np.zeros(size, np.bool_)
    for piece in pieces:
        mask |= piece.cover >= 0.5
    return mask


def _piece(picture: NDArray[np.float32], rng: np.random.Generator) -> Dirt:
    """A speck (half of them), a hair or a smear, anywhere."""
    size = (picture.shape[0], picture.shape[1])
    centre = rng.uniform(0.04, 0.96, 2) * np.array(size[::-1])
    kind = rng.random()
    if kind < 0.55:
        cover, opacity = _speck(size, centre, rng), rng.uniform(0.5, 0.95)
    elif kind < 0.8:
        cover, opacity = _hair(size, centre, rng), rng.uniform(0.45, 0.9)
    else:
        cover, opacity = _smear(size, centre, rng), rng.uniform(0.3, 0.6)
    behind = float((picture.mean(axis=2) * cover).sum() / (cover.sum() + 1e-6))
    bright = behind < 0.45 if rng.random() < 0.85 else rng.random() < 0.5
    tone = rng.uniform(0.62, 0.95) if bright else rng.uniform(0.03, 0.25)
    return Dirt(cover, np.clip(tone + rng.normal(0, 0.03, 3), 0, 1), float(opacity))


def _speck(size: tuple[int, int], centre: Points, rng: np.random.Generator) -> NDArray[np.float32]:
    """A ragged grain, two to seven pixels across."""
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    reach = rng.uniform(1.1, 3.4) * rng.uniform(0.65, 1.2, 9)
    return _polygon(size, centre + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None])


def _hair(size: tuple[int, int], centre: Points, rng: np.random.Generator) -> NDArray[np.float32]:
    """A bent thread, a pixel and a half thick."""
    share = np.linspace(-1, 1, 24)
    angle, length, bend = rng.uniform(0, np.pi), rng.uniform(4, 14), rng.uniform(-6, 6)
    along, aside = share * length, share**2 * bend + share**3 * rng.uniform(-3, 3)
    cosine, sine = np.cos(angle), np.sin(angle)
    points = np.stack([along * cosine - aside * sine, along * sine + aside * cosine], axis=1)
    layer = np.zeros((size[0] * _FINER, size[1] * _FINER), np.uint8)
    thick = int(rng.integers(6, 9))
    cv2.polylines(layer, [_fine(points + centre)], False, 255, thick, cv2.LINE_8)
    return _averaged(layer, size)


def _smear(size: tuple[int, int], centre: Points, rng: np.random.Generator) -> NDArray[np.float32]:
    """A long spot with soft edges."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    long, wide, angle = rng.uniform(4, 10), rng.uniform(2, 4), rng.uniform(0, np.pi)
    along = np.cos(angles) * long * rng.uniform(0.8, 1.2, 24)
    aside = np.sin(angles) * wide * rng.uniform(0.8, 1.2, 24)
    cosine, sine = np.cos(angle), np.sin(angle)
    points = np.stack([along * cosine - aside * sine, along * sine + aside * cosine], axis=1)
    soft = cv2.GaussianBlur(_polygon(size, points + centre), (0, 0), 0.9)
    return np.asarray(soft, np.float32)


def _polygon(size: tuple[int, int], points: Points) -> NDArray[np.float32]:
    layer = np.zeros((size[0] * _FINER, size[1] * _FINER), np.uint8)
    cv2.fillPoly(layer, [_fine(points)], 255)
    return _averaged(layer, size)


def _fine(points: Points) -> NDArray[np.int32]:
    """Places in pixels (0 = middle of the first) to pixels of the finer grid."""
    return np.rint((points + 0.5) * _FINER - 0.5).astype(np.int32)


def _averaged(layer: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    small = cv2.resize(layer.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)
