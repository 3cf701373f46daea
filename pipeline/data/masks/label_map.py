"""Masks of one file per image, whose pixel values are the classes (and void, if any)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.listing import listed
from pipeline.data.masks.arrays import array_of, whole_numbers
from pipeline.data.masks.class_values import judge_values
from pipeline.data.masks.files import MaskFiles, check_size, with_remarks
from pipeline.data.masks.meaning import Meaning
from pipeline.data.volume_masks import mask_file
from pipeline.errors import DataError
from pipeline.size import Size


class LabelMaps(MaskFiles):
    """A file an image; see `MaskFormat`."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data, str(data.masks)) if data.has_values and not data.has_colours else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        return self._read(self.the_only(sample_id, files), size)

    def _read(self, path: Path, size: Size) -> Truth:
        data = self.data
        if data.any_value and self._void is None:
            found = self.inside(path, size)
            return with_remarks(Truth(np.asarray(found.pixels)[None].view(np.uint8)), [found])
        found = self._values(path, size)
        values = np.asarray(found.pixels)
        valid = None if self._void is None else np.asarray(values != self._void)
        if data.any_value:
            inside = np.asarray(values != 0) & np.asarray(valid)
            return with_remarks(Truth(inside[None].view(np.uint8), valid), [found])
        strange = ~np.isin(values, list(self._known))
        if data.others == "error":
            self._refuse(values[strange], path)
        elif data.others == "void":
            valid = ~strange if valid is None else valid & ~strange
        planes = np.stack([values == value for value in data.class_values.values()])
        return with_remarks(Truth(planes.view(np.uint8), valid), [found])

    def _values(self, path: Path, size: Size) -> Meaning:
        data = self.data
        known = None if data.any_value else self._known
        path = mask_file(path, data)
        array = array_of(path, data)
        if array is not None:
            found = Meaning(whole_numbers(array, path))
        else:
            found = judge_values(read_bytes(path), path, known, void=self._void, turn=data.turns)
        check_size(found.pixels.shape, size, path)
        return found

    @property
    def _void(self) -> int | None:
        return self.data.void if isinstance(self.data.void, int) else None

    @property
    def _known(self) -> frozenset[int]:
        """The values that a mask file of several classes may hold."""
        data = self.data
        void = () if self._void is None else (self._void,)
        return frozenset([*data.class_values.values(), *void, *([] if data.multiclass else [0])])

    def _refuse(self, strange: NDArray[np.generic], path: Path) -> None:
        """DataError where there are such values."""
        data, unknown = self.data, np.unique(strange).tolist()
        if not unknown:
            return
        remedy = "list them in data.classes, or set data.others: background (or void)"
        if data.multiclass:
            remedy = "list them in data.classes, or set data.others: void"
        elif unknown == [255] and len(data.classes) == 1:
            remedy = f"write classes: {{{next(iter(data.classes))}: 255}}, or leave out the value"
        raise DataError(
            f"{path} holds the values {listed([str(each) for each in unknown])}, which are "
            f"neither in data.classes ({data.classes}) nor data.void; {remedy}"
        )
