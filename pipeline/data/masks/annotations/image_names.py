"""Finds the images of an experiment in files that call them by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.config import DataConfig
from pipeline.data.listing import listed
from pipeline.data.masks.named_file import named_file
from pipeline.data.row_keys import as_matched
from pipeline.errors import DataError


@dataclass(frozen=True)
class ImageName:
    """A training image: its id, and its file."""

    id: str
    path: Path
    root: Path

    @property
    def parts(self) -> tuple[str, ...]:
        """Of its path below `data.root`."""
        return tuple(map(as_matched, self.path.relative_to(self.root).parts))


def image_name(data: DataConfig, sample_id: str) -> ImageName:
    """The name of the training image with that id."""
    pattern = data.of_first_file(data.images)
    return ImageName(sample_id, named_file(data.root, pattern, sample_id), data.root)


@dataclass
class NameIndex:
    """The images that a file lists, by their names there."""

    path: Path
    names: Sequence[str]
    """File names, with folders or without; their places count."""
    keys: Sequence[str] = ()
    """The file's own id of each; where it is given, images are matched by it."""
    _places: dict[str, list[int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(self.keys or self.names):
            if self.keys:
                places[as_matched(name)].append(place)
                continue
            inner = _path(name)
            for each in {inner.name, inner.stem}:
                places[each].append(place)
        self._places = dict(places)

    def find(self, image: ImageName) -> int | None:
        """The place of an image; None where the file does not list it.

        By name: that of its file, else without the ending (images are converted), else its id.
        DataError where several have that name.
        """
        if self.keys:
            return self._only(self._places.get(as_matched(image.id), []), image)
        file = image.parts[-1]
        for wanted in (file, PurePosixPath(file).stem, as_matched(image.id)):
            found = self._places.get(wanted, [])
            exact = [each for each in found if _path(self.names[each]).name == file] or found
            if exact:
                return self._only(self._alike(exact, image), image)
        return None

    def unused(self, images: Iterable[ImageName]) -> list[str]:
        """Names that no image has."""
        used = {self.find(image) for image in images}
        return [name for place, name in enumerate(self.names) if place not in used]

    def error(self, image: ImageName) -> DataError:
        """That it does not list an image."""
        some = listed(list(dict.fromkeys(self.keys or self.names)), most=3)
        what = "ids" if self.keys else "images"
        return DataError(f"{self.path} does not list {image.id}; its {what} are {some}")

    def _alike(self, places: Sequence[int], image: ImageName) -> Sequence[int]:
        """Of several names, those whose folders are those of the image."""
        if len(places) == 1:
            return places
        shared = [_shared_end(_path(self.names[each]).parts, image.parts) for each in places]
        return [each for each, parts in zip(places, shared, strict=True) if parts == max(shared)]

    def _only(self, places: Sequence[int], image: ImageName) -> int | None:
        if len(places) > 1:
            both = listed([self.names[each] for each in places], most=3)
            raise DataError(f"{self.path}: {len(places)} images may be {image.id}: {both}")
        return places[0] if places else None


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(as_matched(name).replace("\\", "/"))


def _shared_end(one: Sequence[str], other: Sequence[str]) -> int:
    """How many last folders two paths share; the names of the files may differ by their ending."""
    count = 0
    for left, right in zip(reversed(one[:-1]), reversed(other[:-1]), strict=False):
        if left != right:
            break
        count += 1
    return count
