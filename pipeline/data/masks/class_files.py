"""Masks of one file a class, `masks/{class}/{id}.png`; a class without a file is nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.config import DataConfig
from pipeline.data.ground_truth import Truth
from pipeline.data.masks.files import MaskFiles, with_remarks
from pipeline.data.volumes import split_slice
from pipeline.errors import DataError
from pipeline.size import Size


class ClassFiles(MaskFiles):
    """A file a class; see `MaskFormat`."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        fits = isinstance(data.masks, str) and data.masks_by_class
        return cls(data, str(data.masks)) if fits else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        planes = np.zeros((len(self.data.classes), *size), np.uint8)
        names, found = self.data.class_names, []
        for path in self.required(sample_id, files):
            name = class_in_name(path, sample_id, self.data)
            found.append(self.inside(path, size))
            planes[names.index(name)] |= np.asarray(found[-1].pixels).view(np.uint8)
        return with_remarks(Truth(planes), found)


def class_in_name(path: Path, sample_id: str, data: DataConfig) -> str:
    """The class that the name of a mask's file holds. DataError where it is none of the classes."""
    assert isinstance(data.masks, str)
    names = data.class_names
    said = {"{id}": re.escape(sample_id), "*": "[^/]*"}
    if data.volume is not None:
        path, said["{id}"] = split_slice(path)[0], "[^/]+"
    for name in names:
        said["{class}"] = re.escape(name)
        pieces = re.split(r"(\{id\}|\{class\}|\*)", data.masks)
        regex = "".join(said.get(piece, re.escape(piece)) for piece in pieces)
        if re.fullmatch(regex, path.relative_to(data.root).as_posix()):
            return name
    raise DataError(f"{path} belongs to no class in data.classes ({', '.join(names)})")
