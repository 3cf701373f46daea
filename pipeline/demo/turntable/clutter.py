"""What stands and hangs about in a studio: posters, strips of light, cones, stands, boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.lens import Picture
from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.quads import Floats

WALL = 4.2  # metres from the turntable's middle to the wall
TABLE = 3.1  # radius of the turntable, metres


def hang_posters(picture: Picture, camera: Camera, rng: np.random.Generator) -> None:
    """Posters, doors and banners: framed sheets with bands and discs in loud colours."""
    for _ in range(rng.integers(0, 4)):
        x, low = rng.uniform(-5.0, 5.0), rng.uniform(0.4, 1.6)
        wide, high = rng.uniform(0.5, 1.8), rng.uniform(0.5, 1.5)
        _sheet(picture, camera, (x, low, wide, high), rng.uniform(0.05, 0.95, 3))
        for _ in range(rng.integers(1, 6)):
            part = (x + wide * rng.uniform(0, 0.5), low + high * rng.uniform(0, 0.8))
            share = (wide * rng.uniform(0.1, 0.5), high * rng.uniform(0.04, 0.2))
            _sheet(picture, camera, (*part, *share), rng.uniform(0.05, 0.95, 3))


def hang_lamps(picture: Picture, camera: Camera, rng: np.random.Generator) -> None:
    """Strips of light near the ceiling, brighter than the film can show."""
    for _ in range(rng.integers(0, 4)):
        x, height = rng.uniform(-5.0, 3.0), rng.uniform(1.8, 3.2)
        _sheet(picture, camera, (x, height, rng.uniform(0.8, 3.0), 0.09), np.full(3, 1.15))


def stand_about(picture: Picture, camera: Camera, rng: np.random.Generator) -> None:
    """Cones, lamp stands and boxes between the turntable and the wall."""
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(-4.5, 4.5), rng.uniform(TABLE, WALL)
        kind, tone = rng.integers(3), rng.uniform(0.03, 0.5)
        if kind == 0:
            _cone(picture, camera, x, y)
        elif kind == 1:
            _stand(picture, camera, (x, y), float(rng.uniform(1.2, 2.4)), tone)
        else:
            wide, high = rng.uniform(0.3, 0.9, 2).tolist()
            _upright(picture, camera, (x, y), [(0, 0), (wide, 0), (wide, high), (0, high)], tone)


def _cone(picture: Picture, camera: Camera, x: float, y: float) -> None:
    shape = [(-0.19, 0.0), (0.19, 0.0), (0.03, 0.6), (-0.03, 0.6)]
    stripe = [(-0.12, 0.24), (0.12, 0.24), (0.08, 0.38), (-0.08, 0.38)]
    _upright(picture, camera, (x, y), shape, (0.85, 0.33, 0.08))
    _upright(picture, camera, (x, y), stripe, 0.85)


def _stand(
    picture: Picture, camera: Camera, place: tuple[float, float], high: float, tone: float
) -> None:
    """A lamp on a thin stand."""
    _upright(picture, camera, place, [(-0.02, 0), (0.02, 0), (0.02, high), (-0.02, high)], tone)
    head = [(-0.25, high), (0.25, high), (0.25, high + 0.35), (-0.25, high + 0.35)]
    _upright(picture, camera, place, head, 0.97)


def _sheet(
    picture: Picture, camera: Camera, place: tuple[float, ...], colour: NDArray[np.float64]
) -> None:
    """A rectangle on the wall; place: left, bottom, width, height in metres."""
    left, low, wide, high = place
    shape = [(0, 0), (wide, 0), (wide, high), (0, high)]
    _upright(picture, camera, (left, WALL), [(a, b + low) for a, b in shape], colour.tolist())


def _upright(
    picture: Picture,
    camera: Camera,
    place: tuple[float, float],
    shape: list[tuple[float, float]],
    colour: float | tuple[float, ...] | list[float],
) -> None:
    """A flat shape (x, z in metres) that stands at a place on the floor and faces the camera."""
    points = np.array([[place[0] + across, place[1], up] for across, up in shape])
    paint = [colour] * 3 if isinstance(colour, float) else list(colour)
    cv2.fillPoly(picture, [places(camera, points)], paint, cv2.LINE_AA, 4)


def places(camera: Camera, points: Floats) -> NDArray[np.int32]:
    """Places in sixteenths of a pixel, as OpenCV's drawing takes them."""
    return np.rint(camera.project(points) * 16).astype(np.int32)
