"""Reads the truth of a sample: mask files of several kinds, or run lengths from a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.competition import rle
from pipeline.competition.catalog import Sample, listed
from pipeline.competition.geometry import resize_planes
from pipeline.competition.images import decode_inside, decode_values, read_bytes
from pipeline.competition.mask_table import RunCell, RunTable, read_run_table
from pipeline.competition.row_keys import Key, table_key
from pipeline.competition.truth import Truth
from pipeline.config import DataConfig, MaskTable, RleOrder
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
            return _united((read_inside(path, size) for path in sample.masks), size)
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

    def pieces(self, sample: Sample, size: Size) -> tuple[int, int]:
        """Into how many pieces the rows of that sample fall, and with the other order of pixels.

        Rows and columns taken for each other shred a mask. (0, 0) without a table of run lengths.
        """
        columns = self._data.masks
        if not isinstance(columns, MaskTable):
            return 0, 0
        other: RleOrder = "row" if columns.order == "column" else "column"
        keys = {table_key(columns, sample.id, name) for name in self._data.class_names}
        rows = [
            (key, cell)
            for key in sorted(keys)
            for cell in self._table.cells_of(key, required=False)
        ]
        ours, theirs = (
            sum(_count_pieces(self._decoded(each, *row, size)) for row in rows)
            for each in (columns, columns.model_copy(update={"order": other}))
        )
        return ours, theirs

    def _from_one_file(self, path: Path, size: Size) -> Truth:
        data = self._data
        if data.any_value and data.void is None:
            return Truth(read_inside(path, size)[None].view(np.uint8))
        values = read_values(path, size)
        valid = None if data.void is None else np.asarray(values != data.void)
        if data.any_value:
            inside = np.asarray(values != 0) & np.asarray(valid)
            return Truth(inside[None].view(np.uint8), valid)
        self._refuse_strangers(values, path)
        planes = np.stack([values == value for value in data.classes.values()])
        return Truth(planes.view(np.uint8), valid)

    def _refuse_strangers(self, values: NDArray[np.generic], path: Path) -> None:
        data = self._data
        known = set(data.classes.values()) | ({data.void} if data.void is not None else set())
        if not data.exclusive:
            known.add(0)
        strangers = sorted(set(np.unique(values).tolist()) - known)
        if strangers:
            raise DataError(
                f"{path} holds the values {listed([str(each) for each in strangers])}, which are "
                f"no class of data.classes ({data.classes}) and not data.void"
            )

    def _from_class_files(self, sample: Sample, size: Size) -> Truth:
        planes = np.zeros((len(self._data.classes), *size), np.uint8)
        names = self._data.class_names
        for path in sample.masks:
            name = _class_in(path, self._data, sample.id)
            planes[names.index(name)] |= read_inside(path, size).view(np.uint8)
        return Truth(planes)

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


def read_values(path: Path, size: Size) -> NDArray[np.uint8] | NDArray[np.int32]:
    """The values of a mask file, HW; DataError when its size is not the image's."""
    values = decode_values(read_bytes(path), path)
    _check_size(values.shape, size, path)
    return values


def read_inside(path: Path, size: Size) -> NDArray[np.bool_]:
    """Where a mask file of one class is inside, bool HW; DataError as above."""
    inside = decode_inside(read_bytes(path), path)
    _check_size(inside.shape, size, path)
    return inside


def _count_pieces(mask: NDArray[np.bool_]) -> int:
    return int(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0]) - 1


def _check_size(found: tuple[int, ...], size: Size, path: Path) -> None:
    if found != size:
        height, width = found
        raise DataError(f"{path} is {width}×{height}, its image {size[1]}×{size[0]} (width×height)")


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
