"""Masks whose gray levels are probabilities; those of several annotators are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.ground_truth import CERTAIN, Truth, decided
from pipeline.data.images import read_bytes
from pipeline.data.masks.arrays import array_of
from pipeline.data.masks.class_files import class_in_name
from pipeline.data.masks.files import MaskFiles, check_size
from pipeline.data.masks.pixels import decode_pixels
from pipeline.data.volume_masks import mask_file
from pipeline.errors import DataError
from pipeline.size import Size


class SoftMaps(MaskFiles):
    """A file an image, a class, or an annotator; see `MaskFormat`."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data, str(data.masks)) if data.soft else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        by_class: dict[str, list[Path]] = {name: [] for name in self.data.class_names}
        for path in self.required(sample_id, files):
            by_class[self._class_of(path, sample_id)].append(path)
        soft = np.stack([self._mean(paths, size) for paths in by_class.values()])
        return Truth(decided(soft), soft=soft)

    def _class_of(self, path: Path, sample_id: str) -> str:
        if not self.data.masks_by_class:
            return self.data.class_names[0]
        return class_in_name(path, sample_id, self.data)

    def _mean(self, paths: Sequence[Path], size: Size) -> NDArray[np.uint8]:
        """0..CERTAIN; of a class without a file 0."""
        total = np.zeros(size, np.float32)
        for path in paths:
            found = self._share(path)
            check_size(found.shape, size, path)
            total += found
        levels = np.rint(total * (CERTAIN / max(1, len(paths))))
        return np.asarray(levels, np.uint8)

    def _share(self, path: Path) -> NDArray[np.float32]:
        """The probability of each pixel, HW."""
        path = mask_file(path, self.data)
        array = array_of(path, self.data)
        if array is not None:
            return _share_of_array(array, path)
        pixels = decode_pixels(read_bytes(path), path, turn=self.data.turns)
        if pixels.palette is not None or pixels.alpha is not None:
            raise DataError(f"{path} has colours or is transparent; save soft masks as gray PNG")
        levels = pixels.shown
        white = 255 if levels.dtype == np.uint8 else 65535
        if levels.max(initial=0) == 1:
            raise DataError(
                f"{path} holds 0 and 1 of {white}, which is next to nothing; save it as 0 and "
                f"{white}, or set data.soft: false"
            )
        return np.asarray(levels, np.float32) / np.float32(white)


def _share_of_array(array: NDArray[Any], path: Path) -> NDArray[np.float32]:
    if array.dtype.kind == "f":
        if not ((array >= 0) & (array <= 1)).all():
            raise DataError(f"{path} holds numbers that are no probabilities, 0 to 1")
        return np.asarray(array, np.float32)
    if array.dtype not in (np.bool_, np.uint8):
        raise DataError(f"{path} holds {array.dtype}; soft masks are floats 0..1 or uint8 0..255")
    return np.asarray(array, np.float32) / np.float32(1 if array.dtype == np.bool_ else CERTAIN)
