"""A car seen from one side: what the mask holds and what the glass lets through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.demo.turntable.camera import Camera
from pipeline.demo.turntable.carview import build, over, view
from pipeline.demo.turntable.quads import Material, box
from pipeline.demo.turntable.render import Light, Painter, cast_shadow, shade
from pipeline.demo.turntable.styles import STYLES, Car, draw_car

CAMERA = Camera((80, 120), 170.0, 9.0, 1.9, 0.6)
LIGHT = Light(np.array([0.0, -0.6, 0.8]), np.full(3, 0.6), np.full(3, 0.3), 1.0)
SIDE, FRONT = 0.0, -np.pi / 2


def _car(style: str, **changes: object) -> Car:
    plain = {"antenna": 0.0, "rack": False, "spoiler": False, "spare_wheel": False}
    car = draw_car(np.random.default_rng(3))
    chosen = next(s for s in STYLES if s.name == style)
    return replace(car, style=chosen, windows_behind=True, **(plain | changes))


def test_the_camera_sees_its_target_in_the_middle() -> None:
    np.testing.assert_allclose(CAMERA.project(np.array([0.0, 0.0, 0.6])), [59.5, 39.5], atol=1e-9)


def test_a_finer_camera_sees_the_same_places() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    finer = (CAMERA.finer(4).project(points) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(finer, CAMERA.project(points), atol=1e-9)


def test_a_painted_box_covers_the_pixels_it_should() -> None:
    made = box((-1, 0, 0), (1, 0.01, 1), Material((1.0, 0.0, 0.0)))
    painter = Painter(CAMERA.finer(8), LIGHT)
    painter.paint(made)
    low, high = CAMERA.project(np.array([[-1, 0, 0], [1, 0, 1.0]]))
    area = float((high[0] - low[0]) * (low[1] - high[1]))
    assert (painter.solid[..., 3] > 0).sum() / 64 == pytest.approx(area, rel=0.04)


def test_what_is_near_hides_what_is_far_and_its_glass() -> None:
    pane = box((-1, 0, 0), (1, 0.01, 1), Material((0, 0, 0), 1.0, glass=True))
    wall = box((-1, -1, 0), (1, -0.99, 1.2), Material((0.5, 0.5, 0.5)))
    painter = Painter(CAMERA, LIGHT)
    painter.paint(pane)
    assert painter.panes[..., 3].any()
    painter.paint(wall)
    assert not painter.panes[..., 3].any()


@pytest.mark.parametrize("style", [style.name for style in STYLES])
@pytest.mark.parametrize("angle", [0.4, 2.9])
def test_the_mask_holds_solid_and_glass(style: str, angle: float) -> None:
    seen = view(build(_car(style)).turned(angle, (0.0, 0.0)), CAMERA, LIGHT)
    assert seen.mask[(seen.solid >= 0.5) | (seen.pane >= 0.5)].all()
    assert not seen.mask[seen.solid + seen.pane < 0.5].any()
    assert (seen.pane > 0.9).sum() > 10


def test_a_car_is_longer_from_the_side_than_from_the_front() -> None:
    parts = build(_car("sedan"))
    widths = [
        np.ptp(np.flatnonzero(view(parts.turned(a, (0.0, 0.0)), CAMERA, LIGHT).mask.any(axis=0)))
        for a in (SIDE, FRONT)
    ]
    assert 1.8 < widths[0] / widths[1] < 3.2


def test_opposite_sides_are_mirror_images() -> None:
    parts = build(_car("wagon"))
    one = view(parts.turned(0.5, (0.0, 0.0)), CAMERA, LIGHT).mask
    other = view(parts.turned(np.pi - 0.5, (0.0, 0.0)), CAMERA, LIGHT).mask
    assert (one != other[:, ::-1]).mean() < 0.005


@pytest.mark.parametrize(
    ("style", "fitted"),
    [("sedan", {"antenna": 0.7}), ("suv", {"rack": True}), ("coupe", {"spoiler": True})],
)
def test_thin_parts_are_in_the_mask(style: str, fitted: dict[str, object]) -> None:
    large = replace(CAMERA, size=(160, 240), focal=340.0)
    plain, with_it = (
        view(build(_car(style, **changes)).turned(0.3, (0.0, 0.0)), large, LIGHT).mask
        for changes in ({}, fitted)
    )
    assert with_it[plain].all()
    assert (with_it & ~plain).sum() >= 8


def test_what_sticks_out_behind_is_seen_from_the_front() -> None:
    plain, with_it = (
        view(build(_car("coupe", spoiler=s)).turned(FRONT, (0.0, 0.0)), CAMERA, LIGHT).solid
        for s in (False, True)
    )
    assert (with_it - plain).max() > 0.3


def test_what_is_fitted_behind_is_hidden_from_the_front() -> None:
    for angle, same in ((FRONT, True), (-FRONT, False)):
        plain, with_it = (
            view(build(_car("suv", spare_wheel=s)).turned(angle, (0.0, 0.0)), CAMERA, LIGHT).colour
            for s in (False, True)
        )
        assert bool((plain[38:60] == with_it[38:60]).all()) == same


def test_the_background_shows_through_the_glass_only() -> None:
    seen = view(build(_car("suv")).turned(0.0, (0.0, 0.0)), CAMERA, LIGHT)
    black = over(np.zeros((80, 120, 3), np.float32), seen, tint=0.5)
    white = over(np.ones((80, 120, 3), np.float32), seen, tint=0.5)
    through = (white - black).mean(axis=2)
    assert ((through > 0.4) & (through < 0.6) & seen.mask).sum() > 20
    assert through[(seen.solid > 0.999) & (seen.pane < 0.001)].max() < 0.01
    np.testing.assert_allclose(through[~seen.mask & (seen.solid + seen.pane == 0)], 1.0)


def test_the_shadow_lies_on_the_side_away_from_the_lamp() -> None:
    made = box((-0.2, -0.2, 0.0), (0.2, 0.2, 1.5), Material((0.5, 0.5, 0.5)))
    columns = [
        np.flatnonzero((cast_shadow(made, CAMERA, np.array([x, 0.0, 0.8])) > 0).any(axis=0)).mean()
        for x in (-0.6, 0.6)
    ]
    assert columns[0] > 62 > 58 > columns[1]


def test_colours_stay_within_bytes_under_any_light() -> None:
    made = build(_car("van", gloss=1.0)).solid()
    bright = replace(LIGHT, lamps=3.0, wall=np.ones(3))
    colours = np.array(shade(made, CAMERA, bright))
    assert colours.min() >= 0
    assert colours.max() == 255
