"""The frame: masks stay, what networks see moves; and maps come back to the mask's size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipeline.boundaries import border_distances, fit_borders, repair
from pipeline.config import FrameConfig, InputConfig
from pipeline.data.catalog import list_samples
from pipeline.data.decoded import decode
from pipeline.data.frame import continue_planes, into_frame, without_padding
from pipeline.data.samples import SampleReader
from tests.helpers.competitions import draw_discs, experiment


def _picture(seed: int, height: int = 60, width: int = 80, channels: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, (height, width, channels)).astype(np.float32)
    smooth = np.dstack([cv2.GaussianBlur(noise[..., c], (0, 0), 3) for c in range(channels)])
    return np.clip(128 + 300 * smooth, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_a_frame_that_changes_nothing_gives_the_image(channels: int) -> None:
    image = _picture(0, channels=channels)
    assert into_frame(image, FrameConfig()) is image


@pytest.mark.parametrize("pad", [1, 16, 70])
@pytest.mark.parametrize("shift", [(0, 0), (2, -3)])
def test_what_is_beyond_the_edges_is_the_mirror_image(pad: int, shift: tuple[int, int]) -> None:
    image = _picture(1)
    seen = into_frame(image, FrameConfig(pad=pad, shift=shift))
    assert seen.shape == (60 + 2 * pad, 80 + 2 * pad, 6)
    mirrored = np.pad(image, ((pad + 3, pad + 3), (pad + 3, pad + 3), (0, 0)), mode="reflect")
    top, left = 3 - shift[1], 3 - shift[0]
    expected = mirrored[top : top + seen.shape[0], left : left + seen.shape[1]]
    assert (seen == expected).all()


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize(("scale", "shift"), [(1.04, (0, 0)), (0.97, (1.5, -2)), (1, (-0.5, 3))])
def test_pixels_go_where_the_frame_says(scale: float, shift: tuple[float, float], pad: int) -> None:
    image = _picture(2)
    seen = into_frame(image, FrameConfig(scale=scale, shift=shift, pad=pad))
    middle = np.array([39.5, 29.5])
    for x, y in [(20, 20), (60, 15), (40, 45), (30, 30)]:
        place = middle + scale * (np.array([x, y]) - middle) + shift + pad
        patch = cv2.getRectSubPix(seen[..., :3], (1, 1), (float(place[0]), float(place[1])))[0, 0]
        assert np.abs(patch.astype(int) - image[y, x, :3]).max() <= 8
    assert (into_frame(image[..., :3], FrameConfig(scale=scale, shift=shift, pad=pad))
            == seen[..., :3]).all()  # fmt: skip


@pytest.mark.parametrize("pad", [0, 3, 40])
def test_padding_of_maps_and_planes_is_taken_off_again(pad: int) -> None:
    planes = np.random.default_rng(0).integers(0, 2, (2, 30, 20), dtype=np.uint8)
    continued = continue_planes(planes, pad)
    assert continued.shape == (2, 30 + 2 * pad, 20 + 2 * pad)
    assert (without_padding(continued.astype(np.float32), pad) == planes).all()


def test_training_sees_masks_continued_as_the_image_is(tmp_path) -> None:
    draw_discs(tmp_path)
    plain, padded = (experiment(tmp_path, data={"frame": {"pad": pad}}).data for pad in (0, 12))
    sample = list_samples(plain).train[0]
    own, more = (decode(sample, SampleReader(data), InputConfig()) for data in (plain, padded))
    assert more[0].shape == (48 + 24, 64 + 24, 3) and more[1].shape == (1, 48 + 24, 64 + 24)
    assert (more[1][:, 12:-12, 12:-12] == own[1]).all()
    bright = more[0][..., 0] > 120
    assert (bright == (more[1][0] > 0)).mean() > 0.99
    assert (SampleReader(padded).picture(sample) == own[0]).all()


def _borders_of(frame: FrameConfig, off: tuple[float, float, float]) -> object:
    """What is measured where masks lie scaled and shifted to what a prediction follows."""
    scale, dx, dy = off
    borders = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        y, x = np.mgrid[:120, :160].astype(float)
        mask, level = np.zeros((120, 160), bool), np.full((120, 160), -1e3)
        for cx, cy, radius in random.uniform((20, 20, 6), (140, 100, 18), (4, 3)):
            mask |= np.hypot(x - cx, y - cy) < radius
            # the picture shows the disc elsewhere; the frame moves the picture
            px, py = 79.5 + scale * (cx - 79.5) + dx, 59.5 + scale * (cy - 59.5) + dy
            fx = 79.5 + frame.scale * (px - 79.5) + frame.shift[0]
            fy = 59.5 + frame.scale * (py - 59.5) + frame.shift[1]
            shown = radius * scale * frame.scale - np.hypot(x - fx, y - fy)
            level = np.maximum(level, shown)
        borders.append(border_distances(mask, level.astype(np.float32)))
    return fit_borders(borders)


@pytest.mark.parametrize("off", [(1.03, 0.0, 0.0), (0.98, 0.8, -1.4), (1.0, -1.1, 0.0)])
@pytest.mark.parametrize("start", [FrameConfig(), FrameConfig(scale=1.01, shift=(0.5, 0.3), pad=8)])
def test_the_repair_that_is_proposed_repairs(
    off: tuple[float, float, float], start: FrameConfig
) -> None:
    measured = _borders_of(start, off)
    frame = repair(measured, start, reach=80)
    assert frame is not None and frame.pad == start.pad
    after = _borders_of(frame, off)
    assert abs(after.scale - 1) < 0.001 and max(abs(after.dx), abs(after.dy)) < 0.1
    assert abs(measured.scale - 1) > 0.005 or max(abs(measured.dx), abs(measured.dy)) > 0.3


def test_nothing_is_proposed_where_nothing_is_off() -> None:
    assert repair(_borders_of(FrameConfig(), (1.0, 0.0, 0.0)), FrameConfig(), reach=80) is None


def test_nothing_is_proposed_that_explains_little() -> None:
    """Beside pieces that are missed, a certain but tiny scale is not worth training again for."""
    off = _borders_of(FrameConfig(), (1.02, 0.0, 0.0))
    assert repair(off, FrameConfig(), reach=80) is not None
    little = replace(off, explained={**off.explained, "scale": 0.01})
    assert repair(little, FrameConfig(), reach=80) is None
    unsure = replace(off, errors={**off.errors, "scale": float("nan")})
    assert repair(unsure, FrameConfig(), reach=80) is None
    assert repair(replace(off, matched=0.1), FrameConfig(), reach=80) is None
