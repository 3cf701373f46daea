"""The interface of mask formats, so that no other module needs to know the format."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from pipeline.config import DataConfig, MaskSource
from pipeline.data.ground_truth import Truth
from pipeline.size import Size


class MaskFormat(Protocol):
    """The masks of one experiment. Cheap to make; what it reads once, it keeps in memory."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        """The masks of an experiment, if this is their format."""
        ...

    @property
    def pattern(self) -> str | None:
        """Of the mask files, below `data.root`; None where no image has files of its own."""
        ...

    @property
    def shared_files(self) -> tuple[Path, ...]:
        """Files that hold masks of many images: when one changes, all are read again."""
        ...

    @property
    def in_coordinates(self) -> bool:
        """True if masks are pixel numbers that refer to the image, not images themselves."""
        ...

    @property
    def conventions(self) -> Mapping[str, object]:
        """Keys that `submission` has too, and that competitions set to the same value in both."""
        ...

    @property
    def reading(self) -> str:
        """The key and value of `readings` that the experiment has, for messages."""
        ...

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        """The possible readings: setting in the experiment → `data.masks` with it.

        The first is the experiment's own, under "".
        """
        ...

    def lacks(self, sample_id: str, files: Sequence[Path]) -> bool:
        """True if there is nothing about that sample: no file, no row, no entry in a list."""
        ...

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        """The truth of a sample, whose image has that H, W; files: what matches `pattern`.

        Raises DataError, naming file or row, on a missing mask, another size or unknown values.
        """
        ...

    def expect(self, ids: Collection[str]) -> None:
        """Read shared files now; DataError when they are faulty. ids: all that have masks."""
        ...

    def doubts(self, ids: Collection[str]) -> list[str]:
        """Possible problems of the shared files. ids: of images, without those left out."""
        ...
