"""Mask files, one an image, volume or class, in a folder, a zip or a tar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.mask_encoding import Mask, decode_mask, encode_mask
from pipeline.submission.mask_record import MaskRecord, PageDigest, kinds_of
from pipeline.submission.numbers import class_numbers, numbered, planes_of
from pipeline.submission.packs import names_in, read_pack, write_pack
from pipeline.submission.planes import planes_at_size
from pipeline.submission.rows import Row
from pipeline.submission.units import Unit, compare_names, named_units, pages_of, slices_of


class _Encoded(NamedTuple):
    content: bytes
    digest: bytes


class _Drawn(NamedTuple):
    """masks: HW, one of an image, or one a class; kinds: of its planes."""

    masks: list[Mask]
    kinds: list[str]


@dataclass(frozen=True)
class MaskFiles:
    """Mask files; see `SubmissionFormat`. An image (or a volume) has one, or one a class."""

    settings: SubmissionConfig
    numbers: tuple[int, ...]
    units: Sequence[Unit]
    axis: str = "Z"

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return "" if settings.pack == "folder" else f".{settings.pack}"

    @classmethod
    def plan(cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]) -> Self:
        units = named_units(settings.file, data, ids)
        if settings.sample is not None:
            sample = data.root / settings.sample
            compare_names(str(sample), names_in(sample), units)
        axis = "Z" if data.volume is None else data.volume.axis
        return cls(settings, class_numbers(settings, data), units, axis)

    @property
    def rows(self) -> Sequence[Row]:
        return [
            Row(name, each, plane)
            for unit in self.units
            for each in unit.ids
            for plane, name in enumerate(unit.files)
        ]

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        record = MaskRecord()
        files = self._files(decisions, record, advance)
        write_pack(path, self.settings.pack, files, record.compare)
        return Written(len(record.digests), record.uniform)

    def read(
        self, path: Path, size_of: Callable[[str], Size]
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        stored = dict(read_pack(path))
        for unit in self.units:
            if missing := [name for name in unit.files if name not in stored]:
                raise DataError(f"{path} has no file {missing[0]}")
            masks = [decode_mask(stored[name], name) for name in unit.files]
            by_file = [slices_of(mask, unit, self.axis) for mask in masks]
            for each, values in zip(unit.ids, zip(*by_file, strict=True), strict=True):
                yield each, self._planes(values)

    @property
    def _apart(self) -> bool:
        """True if each class has a file."""
        return "{class}" in self.settings.file

    def _planes(self, values: Sequence[Mask]) -> NDArray[np.bool_]:
        if self._apart:
            return np.stack([np.asarray(each != 0) for each in values])
        return planes_of(values[0], self.numbers)

    def _files(
        self, decisions: SubmittedDecisions, record: MaskRecord, advance: Advance
    ) -> Iterator[tuple[str, bytes]]:
        """Names and contents; a few images ahead of the file in threads."""

        def drawn(each: str) -> _Drawn:
            return self._drawn(decisions, each)

        def encoded(unit: Unit) -> tuple[list[_Encoded], list[str]]:
            masks, kinds = drawn(unit.ids[0])
            pairs = zip(unit.files, masks, strict=True)
            return [self._encoded([mask], mask.shape, name) for name, mask in pairs], kinds

        images = [unit for unit in self.units if not unit.is_volume]
        for unit, (found, kinds) in zip(images, ordered(encoded, images), strict=True):
            record.count(kinds)
            for name, (content, digest) in zip(unit.files, found, strict=True):
                record.digests[name] = digest
                yield name, content
            advance(1)
        for unit in (each for each in self.units if each.is_volume):
            for place, name in enumerate(unit.files):
                slices = _counted(ordered(drawn, unit.ids), place, record)
                pages, shape = pages_of(slices, len(unit.ids), self.axis)
                content, record.digests[name] = self._encoded(pages, shape, name)
                yield name, content
            advance(len(unit.ids))

    def _encoded(self, pages: Iterable[Mask], shape: tuple[int, ...], name: str) -> _Encoded:
        digest = PageDigest()
        content = encode_mask(digest.of(pages), shape, self.settings.dtype, name)
        return _Encoded(content, digest.value)

    def _drawn(self, decisions: SubmittedDecisions, each: str) -> _Drawn:
        decision = decisions.decide(each)
        planes = planes_at_size(decision, self.settings.size, disjoint=decisions.recipe.multiclass)
        return _Drawn(self._masks(planes), kinds_of(planes))

    def _masks(self, planes: NDArray[np.bool_]) -> list[Mask]:
        dtype = self.settings.dtype
        if not self._apart:
            return [numbered(planes, self.numbers, dtype)]
        values = self.numbers if self.settings.values else (1,) * len(planes)
        pairs = zip(planes, values, strict=True)
        return [numbered(plane[None], [value], dtype) for plane, value in pairs]


def _counted(drawn: Iterable[_Drawn], place: int, record: MaskRecord) -> Iterator[Mask]:
    """The masks of one class or of all, of slice after slice."""
    for masks, kinds in drawn:
        record.count(kinds)
        yield masks[place]
