"""The first demo: cars on a turntable in a photo studio, in the layout of Carvana's competition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.rle import encode
from pipeline.demo.finish import PRIVATE, finish, write_table
from pipeline.demo.lens import Picture, blurred, draw_lens, expose
from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.carview import CarParts, build, over, view
from pipeline.demo.turntable.render import Light, cast_shadow
from pipeline.demo.turntable.studio import Studio, draw_room, draw_studio
from pipeline.demo.turntable.styles import Car, draw_car

_VERSION = 1  # counts up when the same seed draws other pictures
_TRAIN, _TEST, _ORDER = 0, 1, 2  # independent random streams
_UP = np.array([0.0, 0.0, 1.0])
_HEADER = ("img", "rle_mask")
_DIM = 0.65  # contrast of what stands outside the light of the lamps
_ANOTHER_CAR = 0.2  # share of the pictures with a second car in the background


@dataclass(frozen=True)
class TurntableSize:
    """How much is drawn; size: H, W of a photograph."""

    seed: int
    train_cars: int
    test_cars: int
    views: int
    size: tuple[int, int]


TURNTABLE = TurntableSize(seed=2017, train_cars=40, test_cars=16, views=4, size=(128, 192))


@dataclass(frozen=True)
class Photograph:
    """image: uint8 HxWx3 RGB; mask: bool HxW, the car."""

    id: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def draw_turntable(
    folder: Path,
    *,
    seed: int = TURNTABLE.seed,
    train_cars: int = TURNTABLE.train_cars,
    test_cars: int = TURNTABLE.test_cars,
    views: int = TURNTABLE.views,
    size: tuple[int, int] = TURNTABLE.size,
) -> None:
    """Draw the whole competition into `folder`, or leave it alone when it is there.

    `train/<car>_<view>.jpg`, `train_masks/<car>_<view>_mask.gif` (palette, 0/1), `test/…`,
    `train_masks.csv` and `sample_submission.csv` (`img,rle_mask`), and the test masks, which a
    competition would keep to itself, in `private/`. One seed draws the same car whatever the
    number of cars. Raises DataError when `folder` holds something else.
    """
    plan = TurntableSize(seed, train_cars, test_cars, views, size)
    parameters = {"demo": "turntable", "version": _VERSION, **asdict(plan), "size": list(size)}
    finish(folder, parameters, lambda empty: _draw(empty, plan))


def photographs(plan: TurntableSize, part: int, car_number: int) -> Iterator[Photograph]:
    """All views of one car, the turntable going round."""
    rng = np.random.default_rng([plan.seed, part, car_number, 0])
    name = rng.bytes(6).hex()
    car = draw_car(rng)
    studio, camera = draw_studio(car.paint, rng), _place_camera(plan.size, rng)
    parts, room, start = build(car), draw_room(studio, camera), rng.uniform(0, 2 * np.pi)
    shift = rng.normal(0, 0.08, 2)
    for number in range(1, plan.views + 1):
        rng = np.random.default_rng([plan.seed, part, car_number, number])
        angle = start + 2 * np.pi * (number - 1) / plan.views
        turned = parts.turned(angle, (float(shift[0]), float(shift[1])))
        image, mask = _photograph(turned, studio, room, camera, rng)
        yield Photograph(f"{name}_{number:02d}", image, mask)


def _place_camera(size: tuple[int, int], rng: np.random.Generator) -> Camera:
    height, width = size
    focal = min(width, 1.5 * height) * rng.uniform(1.42, 1.56)
    return Camera(
        size, float(focal), 9.0, float(rng.uniform(1.4, 2.4)), float(rng.uniform(0.5, 0.75))
    )


def _photograph(
    car: CarParts, studio: Studio, room: Picture, camera: Camera, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """One picture and its mask."""
    light = Light(studio.lamp, studio.wall, studio.floor, float(rng.uniform(0.9, 1.1)))
    scene = room.copy()
    if rng.random() < _ANOTHER_CAR:
        scene = _with_another_car(scene, camera, light, rng)
    scene = blurred(scene, camera.size[1] / 240 * rng.uniform(0.5, 1.6))
    scene = _with_mirror_image(scene, car, studio, camera, light)
    scene = _with_shadow(scene, car, studio, camera)
    seen = view(car, camera, light)
    picture = over(scene, seen, tint=float(rng.uniform(0.25, 0.55)))
    return expose(picture, draw_lens(rng), rng), seen.mask


def _with_another_car(
    scene: Picture, camera: Camera, light: Light, rng: np.random.Generator
) -> Picture:
    """A parked car behind the turntable; it is not in the mask."""
    other: Car = draw_car(rng)
    place = (float(rng.uniform(-3.5, 3.5)), float(rng.uniform(3.6, 5.0)))
    parts = build(other).turned(float(rng.uniform(0, 2 * np.pi)), place)
    shadow = blurred(cast_shadow(parts.solid(), camera, _UP), 2.0)
    darkened = np.asarray(scene * (1 - 0.6 * shadow[..., None]), np.float32)
    parked = over(darkened, view(parts, camera, light, finer=1), tint=0.5)
    return np.asarray(scene + _DIM * (parked - scene), np.float32)


def _with_mirror_image(
    scene: Picture, car: CarParts, studio: Studio, camera: Camera, light: Light
) -> Picture:
    """The car upside down in the polished floor."""
    if studio.mirror < 0.05:
        return scene
    mirrored = over(scene, view(car.mirrored(), camera, light, finer=1), tint=0.5)
    return scene + studio.mirror * (blurred(mirrored, camera.size[1] / 160) - scene)


def _with_shadow(scene: Picture, car: CarParts, studio: Studio, camera: Camera) -> Picture:
    """Shadow of the main lamp, and the dark place under the car."""
    solid, metre = car.solid(), camera.focal / camera.distance
    thrown, under = cast_shadow(solid, camera, studio.lamp), cast_shadow(solid, camera, _UP)
    dark = studio.shadow * 0.6 * blurred(thrown, 0.3 + studio.shadow_blur * metre)
    darker = studio.shadow * blurred(under, 0.3 + 0.06 * metre)
    return np.asarray(scene * ((1 - dark) * (1 - darker))[..., None], np.float32)


def _draw(folder: Path, plan: TurntableSize) -> None:
    for name in ("train", "train_masks", "test", PRIVATE):
        (folder / name).mkdir()
    rows = list(_draw_part(plan, _TRAIN, plan.train_cars, folder / "train", folder / "train_masks"))
    write_table(folder / "train_masks.csv", _HEADER, sorted(rows))
    tests = list(_draw_part(plan, _TEST, plan.test_cars, folder / "test", folder / PRIVATE))
    order = np.random.default_rng([plan.seed, _ORDER]).permutation(len(tests))
    write_table(folder / "sample_submission.csv", _HEADER, [(tests[i][0], "1 1") for i in order])


def _draw_part(
    plan: TurntableSize, part: int, cars: int, images: Path, masks: Path
) -> Iterator[tuple[str, str]]:
    """Write the photographs of `cars` cars; yields image file name and RLE."""
    for car_number in range(cars):
        for photograph in photographs(plan, part, car_number):
            name = f"{photograph.id}.jpg"
            quality = 72 + int(photograph.image.sum()) % 20
            Image.fromarray(photograph.image).save(images / name, quality=quality)
            _write_gif(masks / f"{photograph.id}_mask.gif", photograph.mask)
            yield name, encode(photograph.mask, "row")


def _write_gif(path: Path, mask: NDArray[np.bool_]) -> None:
    """A palette GIF of the values 0 and 1, like Carvana's."""
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(path, optimize=False)
