"""Coloured quadrilaterals in space, the only shape that the demo cars are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """colour: RGB in 0..1; gloss: share of mirrored light in 0..1; glass: seen through."""

    colour: tuple[float, float, float]
    gloss: float = 0.1
    glass: bool = False


@dataclass(frozen=True)
class Quads:
    """Q quadrilaterals, corners counter-clockwise when seen from outside.

    corners: Qx4x3 metres (x forward, y left, z up); colour: Qx3 in 0..1; gloss: Q; glass: bool Q.
    """

    corners: Floats
    colour: Floats
    gloss: Floats
    glass: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.corners)

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Quads:
        """The quads named by a mask or by indices, in that order."""
        return Quads(self.corners[which], self.colour[which], self.gloss[which], self.glass[which])

    def turned(self, angle: float, shift: tuple[float, float] = (0.0, 0.0)) -> Quads:
        """Turned about the vertical by `angle` (radians), then shifted on the floor."""
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return replace(self, corners=self.corners @ turn.T + np.array([*shift, 0.0]))

    def mirrored(self, axis: int) -> Quads:
        """Mirrored in the plane where coordinate `axis` is 0; the outside stays outside."""
        corners = self.corners[:, ::-1].copy()
        corners[..., axis] *= -1.0
        return replace(self, corners=corners)

    def normals(self) -> Floats:
        """Qx3 unit normals, outward."""
        diagonals = self.corners[:, 2:] - self.corners[:, :2]
        normals = np.cross(diagonals[:, 0], diagonals[:, 1])
        return np.asarray(normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12))


def quads(corners: Floats, material: Material) -> Quads:
    """All of `corners` (Qx4x3) in one material."""
    count = len(corners)
    colour = np.tile(np.array(material.colour), (count, 1))
    return Quads(corners, colour, np.full(count, material.gloss), np.full(count, material.glass))


def join(parts: Iterable[Quads]) -> Quads:
    """One set of quads, in the order of the parts."""
    listed = list(parts)
    return Quads(
        np.concatenate([part.corners for part in listed]),
        np.concatenate([part.colour for part in listed]),
        np.concatenate([part.gloss for part in listed]),
        np.concatenate([part.glass for part in listed]),
    )


def sheet_corners(points: Floats) -> Floats:
    """The cells of a grid of points: SxRx3 -> (S-1)*(R-1) x4x3, row by row."""
    cells = np.stack([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], axis=2)
    return cells.reshape(-1, 4, 3)


def prism(ring: Floats, top: Floats, material: Material) -> Quads:
    """The hull between two rings of four corners (4x3 each, counter-clockwise from `top`)."""
    after = np.roll(np.arange(4), -1)
    sides = [np.stack([ring[i], ring[j], top[j], top[i]]) for i, j in enumerate(after)]
    return quads(np.stack([*sides, top, ring[::-1]]), material)


def box(low: tuple[float, float, float], high: tuple[float, float, float], m: Material) -> Quads:
    """An upright box between two opposite corners."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    floor = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]])
    return prism(floor, floor + np.array([0.0, 0.0, z1 - z0]), m)


def bar(start: tuple[float, ...], end: tuple[float, ...], thickness: float, m: Material) -> Quads:
    """A straight square bar from `start` to `end`."""
    first, last = np.array(start, float), np.array(end, float)
    along = (last - first) / np.linalg.norm(last - first)
    aside = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [1.0, 0.0, 0.0])
    aside *= thickness / 2 / np.linalg.norm(aside)
    across = np.cross(along, aside)
    ring = np.stack([-aside - across, aside - across, aside + across, -aside + across])
    return prism(ring + first, ring + last, m)


def disc(centre: tuple[float, float, float], radius: float, m: Material, floor: float) -> Quads:
    """A disc that looks to +y, flattened where it would reach below z = `floor`."""
    angles = np.linspace(0.0, 2.0 * np.pi, 25)
    x = centre[0] - radius * np.cos(angles)
    z = np.maximum(centre[2] + radius * np.sin(angles), floor)
    rim = np.stack([x, np.full_like(x, centre[1]), z], axis=1)
    middle = np.tile(np.array(centre), (12, 1))
    return quads(np.stack([middle, rim[:-2:2], rim[1:-1:2], rim[2::2]], axis=1), m)
