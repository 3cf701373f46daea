"""One car seen from one side: its picture with soft edges, and its mask."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.turntable.body import body
from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.fittings import seats, sticking_out
from pipeline.demo.turntable.quads import Quads, join
from pipeline.demo.turntable.render import Light, Painter
from pipeline.demo.turntable.styles import Car
from pipeline.demo.turntable.wheels import treads, wheel_faces

_LINING = np.array([0.10, 0.095, 0.09])  # what is seen of the body from inside, through a pane


@dataclass(frozen=True)
class CarParts:
    """The quads of one car, in the groups that are painted one after the other.

    sticking_out: (quads, whether on top), see fittings.
    """

    treads: Quads
    body: Quads
    seats: Quads
    wheel_faces: Quads
    sticking_out: tuple[tuple[Quads, bool], ...]

    def turned(self, angle: float, shift: tuple[float, float]) -> CarParts:
        """Turned on the turntable by `angle` (radians) and shifted on the floor (metres)."""
        return CarParts(
            self.treads.turned(angle, shift),
            self.body.turned(angle, shift),
            self.seats.turned(angle, shift),
            self.wheel_faces.turned(angle, shift),
            tuple((part.turned(angle, shift), top) for part, top in self.sticking_out),
        )

    def mirrored(self) -> CarParts:
        """The car as a mirror on the floor shows it."""
        return CarParts(
            self.treads.mirrored(2),
            self.body.mirrored(2),
            self.seats.mirrored(2),
            self.wheel_faces.mirrored(2),
            tuple((part.mirrored(2), top) for part, top in self.sticking_out),
        )

    def solid(self) -> Quads:
        """All that throws a shadow."""
        whole = join([self.treads, self.body, self.seats, *(p for p, _ in self.sticking_out)])
        return whole.select(~whole.glass)


@dataclass(frozen=True)
class CarView:
    """A car in front of nothing.

    colour: float32 HxWx3 in 0..1, already multiplied by `solid`; solid: float32 HxW share of each
    pixel that is not seen through; pane_colour, pane: the same for the glass in front of that.
    mask: bool HxW, where the car covers at least half of the pixel.
    """

    colour: NDArray[np.float32]
    solid: NDArray[np.float32]
    pane_colour: NDArray[np.float32]
    pane: NDArray[np.float32]
    mask: NDArray[np.bool_]


def build(car: Car) -> CarParts:
    """All quads of a car that stands at the origin, nose towards +x."""
    parts = tuple(sticking_out(car))
    return CarParts(treads(car), body(car), seats(car), wheel_faces(car), parts)


def view(parts: CarParts, camera: Camera, light: Light, *, finer: int = 4) -> CarView:
    """Paint a car on a grid `finer` times finer than the photograph and average."""
    painter = Painter(camera.finer(finer), light)
    distance = _distance(parts.body, camera)
    behind = [p for p, top in parts.sticking_out if not top and _distance(p, camera) > distance]
    before = [p for p, top in parts.sticking_out if top or _distance(p, camera) <= distance]
    for part in behind:
        painter.paint(part)
    painter.paint(parts.treads)
    painter.paint_inside(parts.body, _LINING)
    painter.paint(parts.seats)
    painter.paint(parts.body)
    painter.paint(parts.wheel_faces, in_order=True)
    for part in before:
        painter.paint(part)
    return _averaged(painter, camera.size)


def over(background: NDArray[np.float32], car: CarView, tint: float) -> NDArray[np.float32]:
    """The car in front of a background (float32 HxWx3 in 0..1); `tint`: what its glass lets by."""
    seen = background * (1 - car.solid[..., None]) + car.colour
    through = 1 - car.pane[..., None] * (1 - tint)
    return np.asarray(seen * through + car.pane_colour * (1 - tint), np.float32)


def _distance(quads: Quads, camera: Camera) -> float:
    return float(np.linalg.norm(quads.corners.mean(axis=(0, 1)) - camera.place))


def _averaged(painter: Painter, size: tuple[int, int]) -> CarView:
    covered = np.maximum(painter.solid[..., 3], painter.panes[..., 3])
    solid, panes = _shrink(painter.solid, size), _shrink(painter.panes, size)
    mask = _shrink(covered, size) >= 0.5
    return CarView(solid[..., :3], solid[..., 3], panes[..., :3], panes[..., 3], mask)


def _shrink(layer: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    averaged = cv2.resize(layer.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(averaged / 255, np.float32)
