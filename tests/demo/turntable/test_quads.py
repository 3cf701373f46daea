"""Quads: their outsides stay outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.demo.turntable.body import body
from pipeline.demo.turntable.quads import Material, Quads, bar, box, disc, join
from pipeline.demo.turntable.styles import STYLES, draw_car
from pipeline.demo.turntable.wheels import treads, wheel_faces

PAINT = Material((0.5, 0.4, 0.3))
numbers = st.floats(-3, 3)
sizes = st.floats(0.1, 2)


def _outward(quads: Quads, centre: np.ndarray) -> np.ndarray:
    middles = quads.corners.mean(axis=1)
    return (quads.normals() * (middles - centre)).sum(axis=1)


@given(numbers, numbers, numbers, sizes, sizes, sizes, st.floats(0, 7), st.sampled_from([0, 1, 2]))
@settings(max_examples=40, deadline=None)
def test_faces_of_a_box_look_out_of_it_wherever_it_is(x, y, z, a, b, c, angle, axis) -> None:
    moved = box((x, y, z), (x + a, y + b, z + c), PAINT).turned(angle, (x, y)).mirrored(axis)
    assert len(moved) == 6
    assert (_outward(moved, moved.corners.mean(axis=(0, 1))) > 0).all()


@given(st.tuples(numbers, numbers, numbers), st.tuples(sizes, sizes, sizes))
@settings(max_examples=40, deadline=None)
def test_faces_of_a_bar_look_out_of_it(start, step) -> None:
    end = tuple(a + b for a, b in zip(start, step, strict=True))
    made = bar(start, end, 0.05, PAINT)
    assert (_outward(made, made.corners.mean(axis=(0, 1))) > 0).all()


def test_a_disc_looks_to_the_left_and_stays_over_the_floor() -> None:
    made = disc((0.0, 1.0, 0.5), 0.4, PAINT, 0.3)
    np.testing.assert_allclose(made.normals(), np.tile([0.0, 1.0, 0.0], (12, 1)), atol=1e-9)
    assert made.corners[..., 2].min() == pytest.approx(0.3)


def test_turning_keeps_lengths_and_the_material() -> None:
    made = join([box((0, 0, 0), (1, 2, 3), PAINT), disc((0, 0, 0), 1.0, PAINT, -1.0)])
    turned = made.turned(0.7, (3.0, -1.0))
    sides = np.linalg.norm(np.diff(made.corners, axis=1), axis=2)
    np.testing.assert_allclose(np.linalg.norm(np.diff(turned.corners, axis=1), axis=2), sides)
    np.testing.assert_array_equal(turned.colour, made.colour)


@pytest.mark.parametrize("number", range(24))
def test_the_body_of_any_car_looks_outward_and_is_symmetric(number: int) -> None:
    car = draw_car(np.random.default_rng(number))
    quads = body(car)
    axis = quads.corners.mean(axis=1) * [0.8, 0.0, 0.0] + [0.0, 0.0, 0.45 * car.style.height]
    area = np.linalg.norm(
        np.cross(*(quads.corners[:, 2:] - quads.corners[:, :2]).swapaxes(0, 1)), axis=1
    )
    outward = (quads.normals() * (quads.corners.mean(axis=1) - axis)).sum(axis=1)
    assert area[outward > 0].sum() > 0.97 * area.sum()
    for end in (1, -1):
        flat = np.isclose(quads.corners[..., 0], end * car.style.length / 2).all(axis=1)
        assert flat.sum() > 10
        assert (quads.normals()[flat & (area > 1e-6), 0] * end > 0.99).all()
    left, right = quads.corners[..., 1].max(), quads.corners[..., 1].min()
    assert left == pytest.approx(-right)
    assert np.ptp(quads.corners[..., 0]) == pytest.approx(car.style.length)


@pytest.mark.parametrize("number", range(4))
def test_wheels_stand_on_the_floor(number: int) -> None:
    car = draw_car(np.random.default_rng(number))
    for part in (treads(car), wheel_faces(car)):
        assert part.corners[..., 2].min() == pytest.approx(0.0, abs=0.01)
    made = treads(car)
    middles, normals = made.corners.mean(axis=1), made.normals()
    sides = np.abs(normals[:, 1]) > 0.5
    assert (normals[sides, 1] * middles[sides, 1] < 0).all()
    assert (normals[~sides, 2] * (middles[~sides, 2] - car.style.wheel) > -1e-9).all()


def test_every_style_has_a_name_of_its_own() -> None:
    assert len({style.name for style in STYLES}) == len(STYLES)
