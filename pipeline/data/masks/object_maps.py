"""Masks of one file an image whose numbers, or pages, are the objects of the one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, LabelMapFiles, MaskSource
from pipeline.data.decoding_memory import memory_for_bytes
from pipeline.data.ground_truth import Truth
from pipeline.data.images import opened, read_bytes
from pipeline.data.masks.arrays import SUFFIXES, read_array, whole_numbers
from pipeline.data.masks.files import MaskFiles, check_size, united
from pipeline.data.masks.pixels import decode_pixels
from pipeline.data.pages import RefusedError
from pipeline.data.volume_masks import mask_file, open_mask_slice
from pipeline.data.volumes import is_slice
from pipeline.errors import DataError
from pipeline.size import Size

_TIFF = (".tif", ".tiff")
_FEW = 2**16
"""Numbers up to which objects keep theirs: what counts objects has a place for each number."""


class ObjectMaps(MaskFiles):
    """A file an image; see `MaskFormat`."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        masks = data.masks
        return cls(data, masks.label_map) if isinstance(masks, LabelMapFiles) else None

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        return {"": self.data.masks}

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        path = self.the_only(sample_id, files)
        numbers = whole_numbers(self._numbers(path), path)
        if numbers.ndim == 2:
            check_size(numbers.shape, size, path)
            labels = _numbered(numbers)
            return Truth(np.asarray(labels > 0)[None].view(np.uint8), None, labels[None])
        assert isinstance(self.data.masks, LabelMapFiles)
        if numbers.ndim != 3 or self.data.masks.stack is None:
            shape = "×".join(map(str, numbers.shape))
            raise DataError(
                f"{path} holds {shape} numbers, not height×width; where each of its pages is an "
                "object, set data.masks.stack: objects"
            )
        if numbers.shape[:2] == size != numbers.shape[1:]:
            raise DataError(f"{path} holds H×W×N numbers; save it as N×H×W")
        check_size(numbers.shape[1:], size, path)
        return united((np.asarray(page != 0) for page in numbers), size)

    def _numbers(self, path: Path) -> NDArray[Any]:
        assert isinstance(self.data.masks, LabelMapFiles)
        path = mask_file(path, self.data)
        if is_slice(path):
            return open_mask_slice(path, self.data, key=self.data.masks.array)
        if path.suffix.lower() in SUFFIXES:
            return read_array(path, self.data.masks.array)
        if path.suffix.lower() in _TIFF:
            return _read_tiff(path)
        pixels = decode_pixels(read_bytes(path), path, turn=self.data.turns)
        if pixels.header.lossy:
            raise DataError(f"{path} is a {pixels.header.lossy}, which changes numbers")
        return pixels.stored


def _numbered(numbers: NDArray[Any]) -> NDArray[np.int32]:
    """Numbers as they are, or in their order where they are large."""
    if numbers.max(initial=0) < _FEW:
        return numbers.astype(np.int32)
    found, places = np.unique(numbers, return_inverse=True)
    labels = np.asarray(places.reshape(numbers.shape), np.int32)
    return labels if found[0] == 0 else labels + np.int32(1)


def _read_tiff(path: Path) -> NDArray[Any]:
    """HW, or NHW of several pages: integers of any width, which Pillow would cut."""
    import tifffile

    try:
        with opened(path) as stream, tifffile.TiffFile(stream) as file:
            page, several = file.pages.first, len(file.series) > 1
            if several or page.samplesperpixel > 1:
                what = "pages of different kinds" if several else "several samples a pixel"
                raise DataError(f"{path} holds {what}; a label map has one number a pixel")
            if int(page.tags.valueof(274, 1)) != 1:
                raise DataError(f"{path} says that it is to be turned; save it upright")
            with memory_for_bytes(file.series[0].nbytes):
                array = file.series[0].asarray()
    except DataError:
        raise
    except RefusedError as error:
        raise DataError(f"{path} {error}") from None
    except Exception as error:  # damaged bytes bring anything out of the decoders
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"{path} holds {array.dtype}, not numbers")
    return np.asarray(array)
