"""A photograph of a screen: where the camera stood, and what screen, light and lens did to it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.lens import Picture, draw_lens, expose
from pipeline.demo.screens.dirt import Dirt, dead_pixel, draw_dust, truth, with_dirt

_TURN = np.deg2rad(3.0)
_ZOOM = 0.04
_PERSPECTIVE = 1 / 64  # how far a corner moves, as a share of the photograph's side
_SLANTED = 0.35  # share of the photographs that are not taken straight from the front
Matrix = NDArray[np.float64]


def draw_warp(
    size: tuple[int, int], reference: tuple[int, int], rng: np.random.Generator
) -> Matrix:
    """Where each pixel of a photograph lies in the reference: 3x3, w22 = 1, on (x, y, 1).

    It is the matrix that `cv2.findTransformECC` looks for with template = photograph and input =
    reference: `warp(reference, W, WARP_INVERSE_MAP)` matches the photograph. The photograph
    lies inside the reference, whose sizes (H, W) must leave a margin.
    """
    height, width = size
    margin = min(reference[0] - height, reference[1] - width) / 2
    reach = max(size) / 2
    angle = rng.uniform(-1, 1) * min(_TURN, 0.35 * margin / reach)
    zoom = 1 + rng.uniform(-1, 1) * min(_ZOOM, 0.2 * margin / reach)
    shift = rng.uniform(-0.3, 0.3, 2) * margin
    middle = np.array([width - 1, height - 1]) / 2
    target = np.array([reference[1] - 1, reference[0] - 1]) / 2 + shift
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    similar = np.eye(3)
    similar[:2] = np.column_stack([turn, target - turn @ middle])
    slanted, moves = rng.random() < _SLANTED, rng.uniform(-1, 1, (4, 2))
    if not slanted:
        return similar
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + moves.astype(np.float32) * min(_PERSPECTIVE * reach * 2, 0.12 * margin)
    matrix = similar @ cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(matrix / matrix[2, 2])


def take_photo(
    reference: NDArray[np.uint8],
    warp: Matrix,
    dead: NDArray[np.float64],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The photograph, uint8 HxWx3, and its dirt, bool HxW.

    reference: uint8 HxWx3; dead: Nx5, places (x, y) on the reference and tones of dead pixels.
    """
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    shown = cv2.warpPerspective(reference, warp, size[::-1], flags=flags)
    scene = np.asarray((shown / 255.0) ** rng.uniform(0.85, 1.2), np.float32)
    dirt = [*_dead_pixels(dead, warp, size), *draw_dust(scene, rng)]
    scene = with_dirt(_with_grid(scene, rng), dirt)
    scene = _with_light(_with_moire(scene, rng), rng)
    return expose(scene, draw_lens(rng), rng), truth(size, dirt)


def _dead_pixels(dead: NDArray[np.float64], warp: Matrix, size: tuple[int, int]) -> list[Dirt]:
    """The dead pixels of the screen where the photograph shows them."""
    places = (
        cv2.perspectiveTransform(dead[None, :, :2], np.linalg.inv(warp))[0] if len(dead) else []
    )
    pieces = zip(places, dead[:, 2:], strict=True)
    return [dead_pixel(size, (float(x), float(y)), tone) for (x, y), tone in pieces]


def _with_grid(scene: Picture, rng: np.random.Generator) -> Picture:
    """The texture of the screen: its grid of pixels and the sparkle of its matt surface."""
    sparkle = 1 + rng.normal(0, rng.uniform(0.0, 0.03), (*scene.shape[:2], 1))
    grid = _waves(scene.shape[:2], rng.uniform(0.35, 0.5), rng) * rng.uniform(0.0, 0.04)
    return np.asarray(scene * sparkle * (1 + grid[..., None]), np.float32)


def _with_moire(scene: Picture, rng: np.random.Generator) -> Picture:
    """Slow coloured waves, where the grids of screen and camera beat."""
    strength = rng.uniform(0.0, 0.07) if rng.random() < 0.7 else 0.0
    frequency = rng.uniform(0.02, 0.12)
    state = rng.integers(2**31)
    waves = [_waves(scene.shape[:2], frequency, np.random.default_rng(state), c) for c in range(3)]
    return np.asarray(scene * (1 + strength * np.stack(waves, axis=2)), np.float32)


def _with_light(scene: Picture, rng: np.random.Generator) -> Picture:
    """Brightness that changes over the screen, and a lamp that mirrors in it."""
    height, width = scene.shape[:2]
    rows, columns = np.mgrid[0:1:height * 1j, 0:1:width * 1j]  # fmt: skip
    slope = rng.normal(0, 0.15, 2)
    light = rng.uniform(0.7, 1.05) * (1 + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5))
    at, wide = rng.uniform(0, 1, 2), rng.uniform(0.15, 0.5)
    lamp = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2 * wide**2))
    veil = rng.uniform(0.0, 0.03) + lamp * (rng.uniform(0.0, 0.15) if rng.random() < 0.4 else 0.0)
    return np.asarray(scene * light[..., None] + veil[..., None], np.float32)


def _waves(
    size: tuple[int, ...], frequency: float, rng: np.random.Generator, phase: float = 0.0
) -> NDArray[np.float64]:
    """Slightly bent plane waves in -1..1; frequency in cycles a pixel."""
    angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.15, 0.15)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    across = columns * np.cos(angle) + rows * np.sin(angle)
    along = rows * np.cos(angle) - columns * np.sin(angle)
    bent = across + bend * along**2 / max(size)
    return np.asarray(np.sin(2 * np.pi * frequency * bent + phase + rng.uniform(0, 6)))
