"""The common part of all formats with mask files: a pattern, and files of the image's size."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, MaskSource
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.listing import listed
from pipeline.data.masks.arrays import array_of, whole_numbers
from pipeline.data.masks.meaning import Meaning, note_of_turn
from pipeline.data.masks.one_class import judge_inside
from pipeline.data.volume_masks import mask_file
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.suggestions import did_you_mean


@dataclass(frozen=True)
class MaskFiles:
    """Answers of `MaskFormat` that are the same for all masks in files of their own."""

    data: DataConfig
    pattern: str

    shared_files: ClassVar[tuple[Path, ...]] = ()
    in_coordinates: ClassVar[bool] = False
    reading: ClassVar[str] = ""

    @property
    def conventions(self) -> Mapping[str, object]:
        return {}

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        return {"": self.pattern}

    def lacks(self, sample_id: str, files: Sequence[Path]) -> bool:
        return not files

    def expect(self, ids: Collection[str]) -> None:
        """Nothing is shared."""

    def doubts(self, ids: Collection[str]) -> list[str]:
        return []

    def inside(self, path: Path, size: Size) -> Meaning:
        """Where a file of one class is inside, bool HW."""
        path = mask_file(path, self.data)
        array = array_of(path, self.data)
        if array is not None:
            found = Meaning(np.asarray(whole_numbers(array, path) != 0))
        else:
            found = judge_inside(read_bytes(path), path, turn=self.data.turns)
        check_size(found.pixels.shape, size, path)
        return found

    @property
    def _missing_folder(self) -> str:
        """What follows where not even the folder of all masks is there."""
        fixed = takewhile(
            lambda part: not re.search(r"[{*]", part), Path(self.pattern).parent.parts
        )
        folder, root = Path(*fixed), self.data.root
        if (root / folder).is_dir() or not root.is_dir():
            return ""
        there = [each.name for each in root.iterdir() if each.is_dir()]
        return f"; there is no folder {root / folder}{did_you_mean(folder.parts[0], there)}"

    def required(self, sample_id: str, files: Sequence[Path]) -> Sequence[Path]:
        """`files`; DataError when there are none."""
        if not files:
            raise DataError(f"{sample_id}: no mask matches {self.pattern}{self._missing_folder}")
        return files

    def the_only(self, sample_id: str, files: Sequence[Path]) -> Path:
        """The file of an image; DataError when there is none, or several."""
        if len(self.required(sample_id, files)) > 1:
            names = listed([str(path) for path in files])
            raise DataError(
                f"{sample_id}: several masks ({names}); an image has one file for all classes"
            )
        return files[0]


class MaskSizeError(DataError):
    """A mask file is not of its image's size."""

    def __init__(self, where: Path | str, found: Size, size: Size) -> None:
        height, width = found
        text = f"{where} is {width}×{height}, its image {size[1]}×{size[0]} (width×height)"
        super().__init__(text)
        self.found = found


def check_size(found: tuple[int, ...], size: Size, path: Path) -> None:
    """Raise MaskSizeError for a mask that is not of its image's size."""
    if found != size:
        raise MaskSizeError(path, (found[0], found[1]), size)


def with_remarks(truth: Truth, found: Iterable[Meaning]) -> Truth:
    """`truth`, and what was remarked about the files it is from, each once."""
    found = list(found)
    said = [note for each in found for note in (note_of_turn(each.orientation), each.note)]
    notes = dict.fromkeys(filter(None, said))
    colours = dict.fromkeys(colour for each in found for colour in each.colours)
    return replace(truth, notes=tuple(notes), colours=tuple(colours))


def united(masks: Iterable[NDArray[np.bool_]], size: Size) -> Truth:
    """One plane and its instances; a pixel claimed twice belongs to the first instance."""
    labels = np.zeros(size, np.int32)
    for number, mask in enumerate(masks, start=1):
        labels[mask & (labels == 0)] = number
    return Truth(np.asarray(labels > 0)[None].view(np.uint8), None, labels[None])
