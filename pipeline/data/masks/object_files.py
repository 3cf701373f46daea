"""Masks of several files an image, `masks/{id}/*.png`: each is one object of the one class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.config import DataConfig
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.files import MaskFiles, united, with_remarks
from pipeline.size import Size


class ObjectFiles(MaskFiles):
    """A file an object; see `MaskFormat`."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        fits = isinstance(data.masks, str) and data.has_objects
        return cls(data, str(data.masks)) if fits else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        found = [self.inside(path, size) for path in self.required(sample_id, files)]
        truth = united((np.asarray(each.pixels, np.bool_) for each in found), size)
        return with_remarks(truth, found)
