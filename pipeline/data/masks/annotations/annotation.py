"""The interface of annotation formats: what a file says about an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.data.masks.annotations.image_names import ImageName, NameIndex
from pipeline.data.masks.annotations.regions import Region, RegionError
from pipeline.errors import DataError
from pipeline.size import Size


@dataclass(frozen=True)
class Annotation:
    """One object of an image."""

    title: str
    """For messages: `annotation 17`."""
    name: str | None
    """Its class as the file calls it; None where the file does not say."""
    regions: Sequence[Region]
    """United."""
    void: bool = False
    """True if its pixels count nowhere."""


class AnnotationFile(Protocol):
    """An open file of annotations."""

    @property
    def path(self) -> Path:
        """For messages."""
        ...

    @property
    def index(self) -> NameIndex | None:
        """The images that it lists; None: it is about one image, and does not say which."""
        ...

    def of_image(self, image: ImageName, size: Size) -> list[Annotation]:
        """The objects of an image of that H, W, which the file lists, in its order.

        DataError names the annotation that is none.
        """
        ...

    def doubts(self) -> Iterable[str]:
        """What may be wrong with the file."""
        ...


@contextmanager
def named_errors(path: Path, title: str) -> Iterator[None]:
    """Says which annotation of which file has no region."""
    try:
        yield
    except RegionError as error:
        raise DataError(f"{path}, {title}: {error}") from None
