"""The files of the slices that an image is shown with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.catalog import first_entries
from pipeline.data.image_sources.image_files import ends_of_first_files
from pipeline.data.name_patterns import matching
from pipeline.data.stacks import Stacks, is_placed
from pipeline.data.volumes import count_slices, neighbour_slices, slice_path
from pipeline.errors import DataError


@dataclass(frozen=True)
class _Part:
    """The images of train or test, by id and by file, and their order."""

    ids: dict[Path, str]
    files: dict[str, Path]
    stacks: Stacks


def _refuse_twins(part: _Part, image: str) -> None:
    for ids in part.stacks.ids[part.stacks.places[image].stack].values():
        if len(ids) > 1:
            both = f"{part.files[ids[0]]} and {part.files[ids[1]]}"
            raise DataError(f"{both} have the same position in one stack; take one of them out")


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
        part = next((each for each in self._parts if wanted in each.ids), None)
        part = part or self._beside(wanted)
        found = [
            part.stacks.neighbour(part.ids[wanted], offset, repeat=stack.edges == "repeat")
            for offset in stack.neighbours
        ]
        return tuple(None if each is None else part.files[each] for each in found)

    def _beside(self, wanted: Path) -> _Part:
        """The images beside a file that lies elsewhere, called as those of the experiment are, or
        alike with its own ending; those whose names say no stack are left out.
        """
        ends = [*ends_of_first_files(self.data), f"{{id}}{wanted.suffix}"]
        for end in ends:
            depth = len(Path(end).parts)
            if len(wanted.parts) <= depth:
                continue
            place = wanted.parents[depth - 1], end
            for known in (True, False):  # files may have come since they were listed
                if not known or place not in self._listed:
                    self._listed[place] = self._elsewhere(*place)
                part = self._listed[place]
                if wanted in part.ids:
                    _refuse_twins(part, part.ids[wanted])
                    return part
        raise DataError(
            f"{wanted}: its name says no stack and position (data.stack), so its neighbours are "
            f"not known; name it as {ends[0]}"
        )

    def _elsewhere(self, folder: Path, end: str) -> _Part:
        assert self.data.order is not None
        every = {path.absolute(): each for path, each in matching(folder, end).items()}
        kept = {path: each for path, each in every.items() if is_placed(each, self.data.order)}
        files = {each: path for path, each in kept.items()}
        return _Part(kept, files, Stacks.of(files, self.data.order))

    @cached_property
    def _listed(self) -> dict[tuple[Path, str], _Part]:
        return {}

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
