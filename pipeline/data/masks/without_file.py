"""Masks of files, where an image without a file has nothing on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.ground_truth import Truth
from pipeline.data.masks.layered import Layered
from pipeline.size import Size


@dataclass(frozen=True)
class EmptyWithoutFile(Layered):
    """The masks of a format, empty where there is no file; see `MaskFormat`."""

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        if files:
            return self.masks.read(sample_id, files, size)
        planes = np.zeros((len(self.data.classes), *size), np.uint8)
        objects = planes.astype(np.int32) if self.data.has_objects else None
        return Truth(planes, instances=objects, soft=planes if self.data.soft else None)
