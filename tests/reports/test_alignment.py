"""What the page shows of alignment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.reports.alignment import alignment_figure, difference_strip


def _texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (32, 48, 3), dtype=np.uint8)


def _parts(strip: np.ndarray, width: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gap = (strip.shape[1] - 3 * width) // 2
    return tuple(strip[:, n * (width + gap) :][:, :width].astype(int) for n in range(3))


@pytest.mark.parametrize(("gain", "bias"), [(1.0, 0), (0.6, 30), (1.2, -20)])
def test_light_that_differs_is_no_difference(gain: float, bias: float) -> None:
    clean = _texture()
    image = np.clip(np.rint(gain * clean + bias), 0, 255).astype(np.uint8)
    shown, before, after = _parts(difference_strip(image, np.roll(clean, 3, axis=1), clean))
    assert (shown == image).all()
    assert np.abs(after - 128).max() <= 4
    assert before.std() > 20


def test_dirt_is_seen_with_its_sign() -> None:
    clean = _texture()
    image = clean.copy()
    image[4:8, 4:8], image[20:24, 30:34] = 255, 0
    _, _, after = _parts(difference_strip(image, clean, clean))
    assert after[5:7, 5:7].mean() > 150 and after[21:23, 31:33].mean() < 106


def test_a_flat_reference_is_no_error() -> None:
    flat = np.full((32, 48, 3), 9, np.uint8)
    assert difference_strip(_texture(), flat, flat).shape[0] == 32


def test_histograms_count_every_pair_and_leave_out_what_is_not_known() -> None:
    table = pd.DataFrame(
        {"cc_before": [0.1, -0.3, 1.0], "cc_after": [0.9, 0.8, 1.0], "corner_px": [0.2, np.inf, 1]}
    )
    figure = alignment_figure(table, np.array([1.0, 5.0, 9.0]))
    counts = [sum(patch.get_height() for patch in axis.patches) for axis in figure.axes]
    assert counts == [3, 6, 2]
