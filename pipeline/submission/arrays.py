"""Masks as NumPy arrays: npz with an array an image, or one npy N×H×W."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import stream_atomic
from pipeline.config import DataConfig, SubmissionConfig
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.format import SubmissionFormat, SubmittedDecisions, Written
from pipeline.submission.mask_encoding import write_header
from pipeline.submission.mask_files import MaskFiles
from pipeline.submission.mask_record import MaskRecord, PageDigest, kinds_of
from pipeline.submission.numbers import class_numbers, numbered, planes_of
from pipeline.submission.planes import planes_at_size
from pipeline.submission.rows import Row, plan_rows


class NamedArrays:
    """An npz: a zip of an npy an image, which `submission.key` names."""

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".npz"

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]
    ) -> SubmissionFormat:
        as_files = {"file": f"{settings.key}.npy", "pack": "zip"}
        return MaskFiles.plan(settings.model_copy(update=as_files), data, ids)


class _Numbered(NamedTuple):
    mask: NDArray[np.generic]
    kinds: list[str]


@dataclass(frozen=True)
class StackedArray:
    """One npy of all masks, N×H×W, in the order of the ids, or of the sample file."""

    settings: SubmissionConfig
    numbers: tuple[int, ...]
    rows: Sequence[Row]

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".npy"

    @classmethod
    def plan(cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]) -> Self:
        rows, _ = plan_rows(settings, data.root, ids, data.class_names)
        return cls(settings, class_numbers(settings, data), rows)

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        ids, record, digest = [row.id for row in self.rows], MaskRecord(), PageDigest()
        size = self._common_size(decisions)

        def numbered_mask(each: str) -> _Numbered:
            decision = decisions.decide(each)
            planes = planes_at_size(
                decision, self.settings.size, disjoint=decisions.recipe.multiclass
            )
            return _Numbered(numbered(planes, self.numbers, self.settings.dtype), kinds_of(planes))

        def masks() -> Iterator[NDArray[np.generic]]:
            for mask, kinds in ordered(numbered_mask, ids):
                record.count(kinds)
                advance(1)
                yield mask

        def write(stream: BinaryIO) -> None:
            write_header(stream, (len(ids), *size), self.settings.dtype)
            for mask in digest.of(masks()):
                stream.write(np.ascontiguousarray(mask).tobytes())
            stream.flush()
            self._compare(Path(stream.name), digest)

        stream_atomic(path, write)
        return Written(len(ids), record.uniform)

    def read(
        self, path: Path, size_of: Callable[[str], Size]
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for row, mask in zip(self.rows, self._stored(path), strict=True):
            yield row.id, planes_of(mask, self.numbers)

    def _common_size(self, decisions: SubmittedDecisions) -> Size:
        if self.settings.size is not None:
            return self.settings.size
        sizes = {row.id: decisions.size_of(row.id) for row in self.rows}
        if not sizes:
            return 0, 0
        first, *others = sizes
        for each in others:
            if sizes[each] != sizes[first]:
                raise DataError(
                    f"submission.format: npy has one size for all images, and {first} is "
                    f"{sizes[first]}, {each} {sizes[each]} (height, width); take npz, or set "
                    "submission.size"
                )
        return sizes[first]

    def _stored(self, path: Path) -> NDArray[np.generic]:
        try:
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DataError(f"{path} is damaged, or no npy: {error}") from None
        if found.ndim != 3 or len(found) != len(self.rows):
            raise DataError(f"{path} has the shape {found.shape}, not {len(self.rows)}×H×W")
        return np.asanyarray(found)

    def _compare(self, path: Path, meant: PageDigest) -> None:
        digest = PageDigest()
        for _ in digest.of(self._stored(path)):
            pass
        if digest.value != meant.value:
            raise DataError("the array does not hold the masks; nothing was written")
