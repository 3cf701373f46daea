"""A pinhole camera on a stand: points of the studio to places in the photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.demo.turntable.quads import Floats


@dataclass(frozen=True)
class Camera:
    """Stands at (0, -distance, height) and looks at (0, 0, target), metres; x is to the right.

    size: H, W of the photograph in pixels; focal: focal length in pixels.
    """

    size: tuple[int, int]
    focal: float
    distance: float
    height: float
    target: float

    def finer(self, factor: int) -> Camera:
        """The same view on a grid `factor` times finer."""
        height, width = self.size
        return replace(self, size=(height * factor, width * factor), focal=self.focal * factor)

    @property
    def place(self) -> Floats:
        """Where the camera stands, XYZ."""
        return np.array([0.0, -self.distance, self.height])

    def project(self, points: Floats) -> Floats:
        """...x3 points -> ...x2 places (x, y) in pixels, 0 being the middle of the first pixel."""
        forward = np.array([0.0, self.distance, self.target - self.height])
        forward /= np.linalg.norm(forward)
        right = np.array([1.0, 0.0, 0.0])
        frame = np.stack([right, np.cross(forward, right), forward])
        seen = (points - self.place) @ frame.T
        depth = np.maximum(seen[..., 2:], 0.1)
        middle = np.array([self.size[1] / 2, self.size[0] / 2]) - 0.5
        return np.asarray(middle + self.focal * seen[..., :2] / depth)
