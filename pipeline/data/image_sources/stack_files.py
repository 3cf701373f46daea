"""The files of the slices that an image is shown with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.catalog import first_entries
from pipeline.data.stacks import Stacks
from pipeline.data.volumes import count_slices, neighbour_slices, slice_path
from pipeline.errors import DataError


@dataclass(frozen=True)
class _Part:
    """The images of train or test, by id and by file, and their order."""

    ids: dict[Path, str]
    files: dict[str, Path]
    stacks: Stacks


@dataclass(frozen=True)
class StackFiles:
    """Answers for `data.stack`. The folders are listed once; images that are dropped are not in."""

    data: DataConfig

    def slices(self, path: Path) -> tuple[Path | None, ...]:
        """The file of each of `data.stack.neighbours`, the image itself among them.

        None where nothing stands for a missing one. DataError for a file that is in no stack.
        """
        stack, wanted = self.data.stack, path.absolute()
        assert stack is not None
        if self.data.volume is not None:
            return tuple(neighbour_slices(path, self.data, self._dropped_slices))
        for part in self._parts:
            if wanted in part.ids:
                found = [
                    part.stacks.neighbour(part.ids[wanted], offset, repeat=stack.edges == "repeat")
                    for offset in stack.neighbours
                ]
                return tuple(None if each is None else part.files[each] for each in found)
        raise DataError(
            f"{path} belongs to no stack of data.images or data.test, so its neighbours are not "
            "known; put it there"
        )

    @cached_property
    def _dropped_slices(self) -> frozenset[Path]:
        data = self.data
        if not data.drop:
            return frozenset()
        assert data.volume is not None
        volumes = first_entries(data, data.images)
        return frozenset(
            slice_path(path, number)
            for path, volume in volumes.items()
            for number in range(count_slices(path, data) if volume not in data.drop else 0)
            if data.volume.slice_id(volume, number) in data.drop
        )

    @cached_property
    def _parts(self) -> list[_Part]:
        data = self.data
        assert data.order is not None
        parts = []
        for pattern in (data.images, data.test):
            if pattern is not None:
                every = first_entries(data, pattern)
                kept = {
                    path.absolute(): each for path, each in every.items() if each not in data.drop
                }
                files = {each: path for path, each in kept.items()}
                parts.append(_Part(kept, files, Stacks.of(files, data.order)))
        return parts
