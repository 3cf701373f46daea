"""The painter: quads to layers of a photograph, far ones first, with light on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.quads import Floats, Quads

_GLASS = 0.45  # share of mirrored light on a pane, whatever the angle
_SHIFT = 4  # fillConvexPoly takes fixed-point numbers: sixteenths of a pixel


@dataclass(frozen=True)
class Light:
    """What a car mirrors and by what it is lit; colours are RGB in 0..1.

    lamp: unit vector to the main lamp; wall, floor: what stands around; lamps: their brightness.
    """

    lamp: Floats
    wall: Floats
    floor: Floats
    lamps: float


class Painter:
    """Two layers of one view: what is solid, and the near panes in front of it.

    solid, panes: uint8 HxWx4, RGB and 255 where painted.
    """

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self.solid = np.zeros((*camera.size, 4), np.uint8)
        self.panes = np.zeros((*camera.size, 4), np.uint8)

    def paint(self, quads: Quads, *, in_order: bool = False) -> None:
        """Paint the quads that look at the camera, far ones first unless `in_order`."""
        towards = self.camera.place - quads.corners.mean(axis=1)
        shown = np.flatnonzero((quads.normals() * towards).sum(axis=1) > 0)
        if not in_order:
            shown = shown[np.argsort(-np.linalg.norm(towards[shown], axis=1), kind="stable")]
        seen = quads.select(shown)
        colours = shade(seen, self.camera, self.light)
        for polygon, colour, glass in zip(self._places(seen), colours, seen.glass, strict=True):
            if glass:
                _fill(self.panes, polygon, colour)
            else:
                _fill(self.solid, polygon, colour)
                _fill(self.panes, polygon, (0, 0, 0, 0))

    def paint_inside(self, quads: Quads, colour: Floats) -> None:
        """Paint the backs of the quads that look away in one flat colour; panes stay open."""
        towards = self.camera.place - quads.corners.mean(axis=1)
        away = ((quads.normals() * towards).sum(axis=1) <= 0) & ~quads.glass
        flat = (*np.rint(colour * 255).astype(int).tolist(), 255)
        for polygon in self._places(quads.select(away)):
            _fill(self.solid, polygon, flat)

    def _places(self, quads: Quads) -> NDArray[np.int32]:
        places = self.camera.project(quads.corners)
        return np.rint(places * (1 << _SHIFT)).clip(-(2**24), 2**24).astype(np.int32)


def shade(quads: Quads, camera: Camera, light: Light) -> list[tuple[int, int, int, int]]:
    """The colour of every quad in 0..255, RGB and 255: lit from above, mirroring the studio."""
    normals = quads.normals()
    middles = quads.corners.mean(axis=1)
    view = camera.place - middles
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    facing = (normals * view).sum(axis=1, keepdims=True)
    lit = 0.30 + 0.22 * (normals[:, 2:] + 1) + 0.34 * np.maximum(normals @ light.lamp, 0)[:, None]
    lit *= np.clip(0.55 + middles[:, 2:] * 0.75, 0.45, 1.0)  # less light gets in under the car
    mirrored = _surroundings(2 * facing * normals - view, light)
    share = quads.gloss[:, None] * (0.12 + 0.88 * (1 - np.clip(facing, 0, 1)) ** 3)
    share = np.where(quads.glass[:, None], _GLASS, share)
    colour = np.clip(quads.colour * lit * light.lamps * (1 - share) + mirrored * share, 0, 1)
    painted = np.rint(colour * 255).astype(int)
    return [(red, green, blue, 255) for red, green, blue in painted.tolist()]


def cast_shadow(quads: Quads, camera: Camera, lamp: Floats) -> NDArray[np.float32]:
    """Where the quads keep the light of `lamp` (a vector) off the floor: float32 HxW, 1 = dark."""
    down = lamp / lamp[2]
    on_floor = quads.corners - quads.corners[..., 2:] * down
    shadow = np.zeros(camera.size, np.uint8)
    places = np.rint(camera.project(on_floor) * (1 << _SHIFT)).astype(np.int32)
    for polygon in places:
        _fill(shadow, polygon, (255,))
    return np.asarray(shadow / 255, np.float32)


def _surroundings(directions: Floats, light: Light) -> Floats:
    """What is seen in a direction (Qx3): floor below, wall around, bright lamps above."""
    up = directions[:, 2:]
    wall = light.wall * (0.75 + 0.2 * up)
    below = light.floor * 0.7
    colour = np.where(up < -0.05, below, wall)
    lamps = np.clip((up - 0.45) / 0.15, 0, 1) * np.clip((0.92 - up) / 0.1, 0, 1)
    towards = np.maximum(directions @ light.lamp, 0)[:, None] ** 12
    return np.asarray(colour + light.lamps * (0.35 * lamps + 0.5 * towards))


def _fill(layer: NDArray[np.uint8], polygon: NDArray[np.int32], colour: Sequence[float]) -> None:
    cv2.fillConvexPoly(layer, polygon, colour, lineType=cv2.LINE_8, shift=_SHIFT)
