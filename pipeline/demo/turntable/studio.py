"""The studio around a car: walls, floor and turntable."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.demo.lens import Picture
from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.clutter import (
    TABLE,
    WALL,
    hang_lamps,
    hang_posters,
    places,
    stand_about,
)
from pipeline.demo.turntable.quads import Floats

_FINER = 2


@dataclass(frozen=True)
class Studio:
    """How a studio looks; colours are RGB in 0..1.

    bend: softness of the corner of floor and wall in metres. lamp: unit vector to the main lamp.
    shadow: darkest part of the shadow in 0..1; mirror: how much of the car the floor shows.
    clutter: seed of what stands about.
    """

    wall: Floats
    floor: Floats
    table: Floats
    bend: float
    lamp: Floats
    shadow: float
    shadow_blur: float
    mirror: float
    clutter: int


def draw_studio(paint: tuple[float, float, float], rng: np.random.Generator) -> Studio:
    """A studio by chance; one in four has a wall or a floor close to the car's `paint`."""
    near = np.clip(np.array(paint) + rng.normal(0, 0.03, 3) + rng.normal(0, 0.1), 0.04, 0.97)
    tone = np.array([rng.uniform(0.45, 0.95)]) + rng.normal(0, 0.02, 3)
    ground = np.array([rng.uniform(0.15, 0.75)]) + rng.normal(0, 0.015, 3)
    kind = rng.random()
    wall = near if kind < 0.16 else tone
    floor = near * rng.uniform(0.75, 1.0) if 0.10 < kind < 0.26 else ground
    azimuth = rng.uniform(0, 2 * np.pi)
    lamp = np.array([np.cos(azimuth) * 0.55, np.sin(azimuth) * 0.55, 0.8])
    return Studio(
        wall=np.clip(wall, 0.04, 0.97),
        floor=np.clip(floor, 0.04, 0.95),
        table=np.clip(floor * rng.uniform(0.75, 1.25), 0.04, 0.95),
        bend=float(rng.choice([0.03, 0.5, 1.0])),
        lamp=np.asarray(lamp / np.linalg.norm(lamp)),
        shadow=float(rng.uniform(0.45, 0.9)),
        shadow_blur=float(rng.uniform(0.04, 0.22)),
        mirror=float(rng.uniform(0.0, 0.35)),
        clutter=int(rng.integers(2**31)),
    )


def draw_room(studio: Studio, camera: Camera) -> Picture:
    """The empty studio, float32 HxWx3 in 0..1."""
    fine = camera.finer(_FINER)
    picture = _walls(studio, fine)
    clutter = np.random.default_rng(studio.clutter)
    hang_posters(picture, fine, clutter)
    hang_lamps(picture, fine, clutter)
    _mark_floor(picture, studio, fine)
    stand_about(picture, fine, clutter)
    return np.asarray(cv2.resize(picture, camera.size[::-1], interpolation=cv2.INTER_AREA))


def _walls(studio: Studio, camera: Camera) -> Picture:
    """Wall above, floor below, both unevenly lit, the corner between them as soft as it is."""
    height, width = camera.size
    corner = _row(camera, WALL, 0.0)
    soft = max(1.0, corner - _row(camera, WALL, studio.bend))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    floor = 1 / (1 + np.exp(-np.clip((rows - corner) / (0.25 * soft), -30, 30)))
    light = 1 - 0.35 * ((columns / width - 0.5 + 0.3 * studio.lamp[0]) ** 2) * 2
    light = light * (0.82 + 0.22 * np.minimum(rows / height, 1 - rows / height) * 2)
    colour = studio.wall + (studio.floor - studio.wall) * floor[..., None]
    return np.asarray(colour * light[..., None], np.float32)


def _mark_floor(picture: Picture, studio: Studio, camera: Camera) -> None:
    """The turntable with its rim, and the joints of the floor."""
    ring = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    for radius, shade in ((TABLE, 0.55), (TABLE - 0.06, 1.0)):
        circle = np.stack([np.cos(ring) * radius, np.sin(ring) * radius, 0 * ring], axis=1)
        light = float(picture[-1, picture.shape[1] // 2].mean() / max(studio.floor.mean(), 0.05))
        colour = (studio.table * shade * light).tolist()
        cv2.fillPoly(picture, [places(camera, circle)], colour, cv2.LINE_AA, 4)
    if studio.clutter % 3 == 0:
        for x in np.arange(-6.0, 6.1, 1.5).tolist():
            joint = np.array([[x, -5.0, 0.0], [x, WALL, 0.0]])
            colour = (studio.floor * 0.8).tolist()
            cv2.polylines(picture, [places(camera, joint)], False, colour, 1, cv2.LINE_AA, 4)


def _row(camera: Camera, y: float, z: float) -> float:
    """The row of the photograph in which a point of the middle plane is seen."""
    return float(camera.project(np.array([0.0, y, z]))[1])
