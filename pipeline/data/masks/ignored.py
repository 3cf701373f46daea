"""Masks of any format, and beside them files of the pixels that count nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.config import DataConfig
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.files import MaskFiles
from pipeline.data.masks.layered import Layered
from pipeline.data.masks.named_file import named_file
from pipeline.data.volumes import slice_path, whole_file
from pipeline.size import Size


def ignored_file(data: DataConfig, sample_id: str) -> Path | None:
    """Where the file of an image's ignored pixels would be; None where none are asked for.

    Of a slice the slice of a volume, as `data.volumes` names it.
    """
    if not data.ignore:
        return None
    if data.volume is None:
        return named_file(data.root, data.ignore, sample_id)
    volume, number = data.volume.taken_apart(sample_id)
    return slice_path(named_file(data.root, data.ignore, volume), number)


@dataclass(frozen=True)
class WithIgnored(Layered):
    """The masks of a format, without what `data.ignore` takes out; see `MaskFormat`."""

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        truth = self.masks.read(sample_id, files, size)
        path = ignored_file(self.data, sample_id)
        if path is None or not whole_file(path, self.data).exists():
            return truth
        found = MaskFiles(self.data, str(self.data.ignore)).inside(path, size)
        valid = ~np.asarray(found.pixels, np.bool_)
        if truth.valid is not None:
            valid &= truth.valid
        notes = (*truth.notes, *([f"data.ignore: {found.note}"] if found.note else []))
        instances = None if truth.instances is None else truth.instances * valid
        return replace(
            truth, planes=truth.planes * valid, valid=valid, instances=instances, notes=notes
        )
