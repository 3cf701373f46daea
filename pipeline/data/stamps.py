"""Texts that change when the files of a sample do, as far as can be told without reading them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.catalog import Part, Sample
from pipeline.data.image_sources.source import ImageSource
from pipeline.data.masks.ignored import ignored_file
from pipeline.data.masks.registry import mask_format
from pipeline.data.volumes import whole_file


class Stamps:
    """The stamps of one pass over samples.

    A folder that is one image (zarr, a series), or a volume of many, is looked through once: it may
    hold thousands of files.
    """

    def __init__(self, data: DataConfig, source: ImageSource) -> None:
        self._data = data
        self._source = source
        self._folders: dict[Path, str] = {}

    def of(self, sample: Sample, part: Part) -> str:
        """A text that changes when any file of the sample changes."""
        data = self._data
        shown = [sample.image, *([sample.reference] if sample.reference else [])]
        shown += self._source.neighbours(sample.image)
        files = [file for each in shown for file in self._source.files(each)]
        paths = [*dict.fromkeys(files), *(whole_file(mask, data) for mask in sample.masks)]
        if part == "train":
            paths += mask_format(data).shared_files
            ignored = ignored_file(data, sample.id)
            paths += [] if ignored is None else [whole_file(ignored, data)]
        texts = "|".join(map(self._text, paths))
        return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _text(self, path: Path) -> str:
        if path in self._folders:
            return self._folders[path]
        if self._data.bands is None or not path.is_dir():
            return stat_of(path)
        found = "|".join(map(stat_of, files_below(path)))
        text = hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()
        self._folders[path] = text
        return text


def stamp_of(sample: Sample, part: Part, data: DataConfig, source: ImageSource) -> str:
    """The stamp of one sample."""
    return Stamps(data, source).of(sample, part)


def stat_of(path: Path) -> str:
    """What changes when the file does, as far as can be told without reading it."""
    try:
        status = path.stat()
    except OSError:
        return f"{path.name}:missing"
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"


def files_below(path: Path) -> tuple[Path, ...]:
    """The file itself; of a folder that is one image all files in it, in a fixed order."""
    if not path.is_dir():
        return (path,)
    return tuple(sorted(each for each in path.rglob("*") if each.is_file()))
