from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.reports.data_uri import figure_uri, image_uri


def decoded(uri: str, kind: str) -> bytes:
    head, data = uri.split(",", 1)
    assert head == f"data:{kind};base64"
    return base64.b64decode(data, validate=True)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 80), (100, 80)), ((1280, 1920), (427, 640)), ((4000, 2), (640, 1))],
)
def test_image_comes_back_and_is_never_enlarged(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = 200
    data = np.frombuffer(decoded(image_uri(image), "image/jpeg"), np.uint8)
    back = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert back.shape == (*expected, 3)
    assert np.abs(back.astype(int) - (200, 0, 0)).max() < 6


def test_figure_is_a_transparent_svg_and_the_same_each_time() -> None:
    def draw() -> str:
        figure = Figure()
        figure.add_subplot().plot([1, 2, 3])
        return figure_uri(figure)

    svg = decoded(draw(), "image/svg+xml").decode()
    assert "<svg" in svg and "<dc:date>" not in svg
    assert draw() == draw()
