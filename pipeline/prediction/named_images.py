"""The files of images that a user names, of every format that the run was trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from glob import glob, has_magic
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.array_files.registry import ENDINGS, is_array_file
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.containers import image_suffixes
from pipeline.data.image_sources.image_files import (
    ImageFiles,
    below_folder,
    called,
    file_names,
    has_several_files,
    image_of,
)
from pipeline.data.listing import enumerated
from pipeline.data.volumes import is_volume_folder
from pipeline.errors import DataError

_DOUBLE = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr", ".zarr.zip")
"""Endings of two parts."""


@dataclass(frozen=True)
class NamedImages:
    """Finds images as a run reads them."""

    data: DataConfig

    def of(self, named: Sequence[str]) -> list[tuple[str, Path]]:
        """The name and the path of each image, in order and once.

        Raises DataError where one of these is no image, and where files of one are missing.
        """
        if has_several_files(self.data):
            return self._of_several_files(named)
        files = {path.resolve(): path for each in named for path in self._paths(each)}
        return [(name_of(path), path) for path in files.values()]

    def _of_several_files(self, named: Sequence[str]) -> list[tuple[str, Path]]:
        images: dict[tuple[Path, ...], ImageFiles] = {}
        for each in named:
            of_each = [image_of(self.data, path) for path in self._paths(each)]
            if not any(of_each):
                raise DataError(f"{each} holds no file called as {called(self.data)}")
            for one in of_each:
                if one is not None:
                    key = tuple(path.resolve() for path in one.files)
                    images.setdefault(key, one)
        self._require_all_files(images.values())
        return [(one.id, one.files[0]) for one in images.values()]

    def _require_all_files(self, images: Iterable[ImageFiles]) -> None:
        missing = [
            f"{one.id}: {name} ({path})"
            for one in images
            for name, path in zip(file_names(self.data), one.files, strict=True)
            if not path.exists()
        ]
        if missing:
            raise DataError(
                f"{len(missing)} file(s) of images are missing, and nothing was predicted: "
                f"{enumerated(missing)}; get them, or leave these images out"
            )

    def _paths(self, named: str) -> list[Path]:
        """The files (or folders that are one image) that a text stands for."""
        path = Path(named)
        if path.is_file() or self._is_image_folder(path):
            return [path]
        if path.is_dir():
            found = list(self._in_folder(path))
            if not found:
                raise DataError(f"the folder {path} has no images in it")
            return found
        if not has_magic(named):
            raise DataError(f"there is no image {path}")
        found = [each for each in matches(named) if each.is_file() or self._is_image_folder(each)]
        if not found:
            raise DataError(f"no image matches {named}")
        return found

    def _in_folder(self, folder: Path) -> Iterator[Path]:
        if has_several_files(self.data):
            yield from below_folder(self.data, folder)
            return
        for path in sorted(folder.iterdir()):
            if path.name[0] != "." and (self._is_image_folder(path) or self._is_image(path)):
                yield path

    def _is_image_folder(self, path: Path) -> bool:
        return self.data.bands is not None and is_volume_folder(path, self.data)

    def _is_image(self, path: Path) -> bool:
        if not path.is_file():
            return False
        name = path.name.lower()
        if name.endswith(self._endings):
            return True
        return self.data.bands is not None and not name.endswith(_OTHERS) and is_array_file(path)

    @cached_property
    def _endings(self) -> tuple[str, ...]:
        """In lower case, of pictures, and of the run's own images."""
        patterns = [each for each in (self.data.images, self.data.test) if isinstance(each, str)]
        own = {Path(each).suffix.lower() for each in patterns}
        own = {each for each in own if each and not re.search(r"[{}*]", each)}
        return tuple({*image_suffixes(), *own, *(ENDINGS if self.data.bands is not None else ())})


_OTHERS = (".csv", ".txt", ".json", ".zip", ".xlsx", ".parquet", ".pt", ".safetensors")
"""Of files beside images: some are archives, as npz is."""


def name_of(path: Path) -> str:
    """What an image is called: the name of its file without the ending, or of its folder."""
    if path.is_dir() and not is_zarr_folder(path):
        return path.name
    for ending in _DOUBLE:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def matches(pattern: str) -> list[Path]:
    """The files and folders, hidden ones left out, that a pattern stands for, by name."""
    # not Path.glob, which refuses absolute patterns
    found = sorted(glob(pattern, recursive=True))  # noqa: PTH207
    return [Path(each) for each in found]
