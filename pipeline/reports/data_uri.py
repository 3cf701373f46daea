"""Images as data URIs, so that a page contains them."""

from __future__ import annotations

import base64
import io

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def image_uri(image: NDArray[np.uint8], longest: int = 640) -> str:
    """An HWC uint8 RGB image as a JPEG data URI, shrunk to at most `longest` pixels a side."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 88]
    encoded, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    assert encoded
    return _uri("image/jpeg", data.tobytes())


def figure_uri(figure: Figure) -> str:
    """A matplotlib figure as an SVG data URI; the same figure gives the same text."""
    buffer = io.BytesIO()
    # Without a salt the ids inside an SVG are random, and a report would differ at each run.
    with matplotlib.rc_context({"svg.hashsalt": "maskmill"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _uri("image/svg+xml", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
