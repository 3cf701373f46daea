"""Pairs with a known warp, made from drawn pictures: no data needed, the same for each seed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.alignment.geometry import FloatArray, similarity

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """warp: from pixels of the image to pixels of the reference."""

    image: Image
    reference: Image
    warp: FloatArray


def draw_scene(seed: int, side: int = 420) -> Image:
    """A gray picture full of shapes and soft texture."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 3)
    canvas = 120 + 15 * texture / texture.std()
    for _ in range(side // 5):
        corner, far = rng.integers(0, side, 2), rng.integers(5, 60, 2)
        level = float(rng.integers(0, 256))
        if rng.random() < 0.5:
            cv2.rectangle(canvas, corner.tolist(), (corner + far).tolist(), level, -1)
        else:
            cv2.circle(canvas, corner.tolist(), int(far[0] // 2), level, -1)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def cut(scene: Image, warp: FloatArray, side: int) -> Image:
    """side x side pixels of the scene; warp: from these pixels to the scene's."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    return cv2.warpPerspective(scene, warp, (side, side), flags=flags, borderMode=border)


def spoil(image: Image, seed: int, defects: int = 5) -> Image:
    """Gain, bias, gamma, light that falls off, noise, blur, and dark spots."""
    rng = np.random.default_rng(seed)
    light = cv2.resize(rng.uniform(0.7, 1.2, (2, 2)), image.shape[::-1])
    values = 255 * (image / 255.0) ** rng.uniform(0.8, 1.25) * light * 0.9 + rng.uniform(-10, 15)
    for _ in range(defects):
        centre = rng.integers(0, min(image.shape), 2).tolist()
        cv2.circle(values, centre, int(rng.integers(2, 9)), float(rng.integers(0, 256)), -1)
    values = cv2.GaussianBlur(values, (0, 0), 0.7) + rng.normal(0, 3, image.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def about_centre(linear: FloatArray, shift: FloatArray, side: int) -> FloatArray:
    """A linear map about the middle of a square image, followed by a shift."""
    middle = np.full(2, (side - 1) / 2)
    warp = np.eye(3)
    warp[:2, :2] = linear
    warp[:2, 2] = middle + shift - linear @ middle
    return warp


def random_warp(kind: str, seed: int, side: int) -> FloatArray:
    """A warp of a family of motion that moves corners by some 5 to 15 pixels."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(3, 8, 2) * rng.choice([-1, 1], 2)
    if kind == "translation":
        return about_centre(np.eye(2), shift, side)
    turn = float(rng.uniform(1, 3) * rng.choice([-1, 1]))
    warp = similarity(1.0, turn, np.full(2, (side - 1) / 2), np.full(2, (side - 1) / 2) + shift)
    if kind == "euclidean":
        return warp
    stretch = np.eye(2) + rng.uniform(0.015, 0.03, (2, 2)) * rng.choice([-1, 1], (2, 2))
    warp = warp @ about_centre(stretch, np.zeros(2), side)
    if kind == "homography":
        keystone = np.eye(3)
        keystone[2, :2] = 0.03 / side * rng.choice([-1, 1], 2)
        warp = warp @ keystone
    return warp / warp[2, 2]


def make_pair(warp: FloatArray, seed: int, side: int = 256, reference_side: int = 256) -> Pair:
    """A spoiled image and a clean reference of one scene; warp: image to reference."""
    scene = draw_scene(seed)
    offset = np.full(2, (scene.shape[0] - reference_side) / 2)
    place = similarity(1.0, 0.0, np.zeros(2), offset)
    image = spoil(cut(scene, place @ warp, side), seed)
    return Pair(image, cut(scene, place, reference_side), warp)
