"""Reads the truth of a sample: mask files of several kinds, or run lengths from a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, MaskTable
from pipeline.data import rle
from pipeline.data.catalog import Sample, listed
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.masks.table import RunCell, RunTable, read_run_table
from pipeline.data.masks.values import Meaning, judge_inside, judge_values
from pipeline.data.resize import resize_planes
from pipeline.data.row_keys import Key, table_key
from pipeline.errors import DataError

Size = tuple[int, int]


class TruthReader:
    """Turns a sample into its Truth; made once, it keeps the table of run lengths in memory."""

    def __init__(self, data: DataConfig) -> None:
        self._data = data

    def read(self, sample: Sample, size: Size) -> Truth:
        """The truth of `sample`, whose image has that H, W.

        Raises DataError, naming file or row, on a missing mask, another size or unknown values.
        """
        if isinstance(self._data.masks, MaskTable):
            return self._from_table(self._data.masks, sample.id, size)
        if not sample.masks:
            raise DataError(f"{sample.id}: no mask matches {self._data.masks}")
        if "{class}" in self._data.masks:
            return self._from_class_files(sample, size)
        if len(self._data.classes) == 1 and (len(sample.masks) > 1 or "*" in self._data.masks):
            return self._from_object_files(sample.masks, size)
        if len(sample.masks) > 1:
            names = listed([str(path) for path in sample.masks])
            raise DataError(f"{sample.id}: several masks ({names}); several classes need just one")
        return self._from_one_file(sample.masks[0], size)

    def load_table(self, ids: Collection[str]) -> None:
        """Read the table of run lengths now, if there is one; DataError when it is no good.

        ids: all that it should have rows of.
        """
        if isinstance(self._data.masks, MaskTable):
            self._table.expect(ids)

    def doubts(self, ids: Collection[str]) -> list[str]:
        """What may be wrong with the table of run lengths, if there is one, of images `ids`."""
        if not isinstance(self._data.masks, MaskTable):
            return []
        return list(self._table.doubts(ids, [*ids, *self._data.drop]))

    def _from_object_files(self, paths: Sequence[Path], size: Size) -> Truth:
        found = [self._inside(path, size) for path in paths]
        truth = _united((np.asarray(each.pixels, np.bool_) for each in found), size)
        return _with_remarks(truth, found)

    def _from_one_file(self, path: Path, size: Size) -> Truth:
        data = self._data
        if data.any_value and data.void is None:
            found = self._inside(path, size)
            return _with_remarks(Truth(np.asarray(found.pixels)[None].view(np.uint8)), [found])
        found = self._values(path, size)
        values = np.asarray(found.pixels)
        valid = None if data.void is None else np.asarray(values != data.void)
        if data.any_value:
            inside = np.asarray(values != 0) & np.asarray(valid)
            return _with_remarks(Truth(inside[None].view(np.uint8), valid), [found])
        self._refuse_unknown(values, path)
        planes = np.stack([values == value for value in data.classes.values()])
        return _with_remarks(Truth(planes.view(np.uint8), valid), [found])

    def _inside(self, path: Path, size: Size) -> Meaning:
        found = judge_inside(read_bytes(path), path, turn=self._data.turns)
        _check_size(found.pixels.shape, size, path)
        return found

    def _values(self, path: Path, size: Size) -> Meaning:
        data = self._data
        known = None if data.any_value else self._known
        found = judge_values(read_bytes(path), path, known, void=data.void, turn=data.turns)
        _check_size(found.pixels.shape, size, path)
        return found

    @cached_property
    def _known(self) -> frozenset[int]:
        """The values that a mask file of several classes may hold."""
        data = self._data
        void = () if data.void is None else (data.void,)
        return frozenset([*data.classes.values(), *void, *([] if data.multiclass else [0])])

    def _refuse_unknown(self, values: NDArray[np.generic], path: Path) -> None:
        data = self._data
        unknown = sorted(set(np.unique(values).tolist()) - self._known)
        if unknown:
            raise DataError(
                f"{path} holds the values {listed([str(each) for each in unknown])}, which are "
                f"no class of data.classes ({data.classes}) and not data.void"
            )

    def _from_class_files(self, sample: Sample, size: Size) -> Truth:
        planes = np.zeros((len(self._data.classes), *size), np.uint8)
        names, found = self._data.class_names, []
        for path in sample.masks:
            name = _class_in(path, self._data, sample.id)
            found.append(self._inside(path, size))
            planes[names.index(name)] |= np.asarray(found[-1].pixels).view(np.uint8)
        return _with_remarks(Truth(planes), found)

    @cached_property
    def _table(self) -> RunTable:
        return read_run_table(self._data)

    def _from_table(self, columns: MaskTable, sample_id: str, size: Size) -> Truth:
        keys = [table_key(columns, sample_id, name) for name in self._data.class_names]
        if not columns.by_class:
            return self._plane(columns, keys[0], size, required=True)
        found = [self._plane(columns, key, size, required=False) for key in keys]
        return Truth(np.concatenate([truth.planes for truth in found]))

    def _plane(self, columns: MaskTable, key: Key, size: Size, *, required: bool) -> Truth:
        cells = self._table.cells_of(key, required=required)
        united = _united((self._decoded(columns, key, cell, size) for cell in cells), size)
        return united if columns.instances else Truth(united.planes)

    def _decoded(
        self, columns: MaskTable, key: Key, cell: RunCell, size: Size
    ) -> NDArray[np.bool_]:
        try:
            mask = rle.decode(
                cell.text, columns.size or size, columns.order, relative=columns.relative
            )
        except DataError as error:
            raise self._table.error(key, cell, str(error)) from None
        if columns.size is None:
            return mask
        return np.asarray(resize_planes(mask[None].view(np.uint8), size)[0], np.bool_)


class MaskSizeError(DataError):
    """A mask file is not of its image's size."""

    def __init__(self, path: Path, found: Size, size: Size) -> None:
        height, width = found
        text = f"{path} is {width}×{height}, its image {size[1]}×{size[0]} (width×height)"
        super().__init__(text)
        self.found = found


def _check_size(found: tuple[int, ...], size: Size, path: Path) -> None:
    if found != size:
        raise MaskSizeError(path, (found[0], found[1]), size)


def _with_remarks(truth: Truth, found: Iterable[Meaning]) -> Truth:
    """`truth`, and what was remarked about the files it is from, each once."""
    found = list(found)
    notes = dict.fromkeys(each.note for each in found if each.note)
    colours = dict.fromkeys(colour for each in found for colour in each.colours)
    return replace(truth, notes=tuple(notes), colours=tuple(colours))


def _united(masks: Iterable[NDArray[np.bool_]], size: Size) -> Truth:
    """One plane and its instances; a pixel claimed twice belongs to the first instance."""
    labels = np.zeros(size, np.int32)
    for number, mask in enumerate(masks, start=1):
        labels[mask & (labels == 0)] = number
    return Truth(np.asarray(labels > 0)[None].view(np.uint8), None, labels[None])


def _class_in(path: Path, data: DataConfig, sample_id: str) -> str:
    """The class that a file name of a `{class}` pattern stands for."""
    assert isinstance(data.masks, str)
    said = {"{id}": re.escape(sample_id), "*": "[^/]*"}
    for name in data.class_names:
        said["{class}"] = re.escape(name)
        pieces = re.split(r"(\{id\}|\{class\}|\*)", data.masks)
        regex = "".join(said.get(piece, re.escape(piece)) for piece in pieces)
        if re.fullmatch(regex, path.relative_to(data.root).as_posix()):
            return name
    raise DataError(f"{path} is of no class in data.classes ({', '.join(data.class_names)})")
