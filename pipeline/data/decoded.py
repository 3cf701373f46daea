"""Decoded samples, kept so that no epoch, fold or model decodes a file that another has decoded.

On the disk a sample is one file, which appears whole and is memory-mapped: a crop reads the rows
that it needs, all processes of a machine share what the system keeps of it in memory, and opening
costs the same for one sample as for a million. Its name says what it was made from, so a file is
either right or not looked for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.atomic_files import rename_damaged, replace_whole, sweep
from pipeline.config import InputConfig
from pipeline.config.choices import CacheWish
from pipeline.data.catalog import Sample
from pipeline.data.decoded_file import Decoded, decoded_of, file_of
from pipeline.data.frame import continue_planes
from pipeline.data.object_codes import fit_codes, object_codes
from pipeline.data.resize import resize_image, resize_planes, resize_soft, working_size
from pipeline.data.samples import SampleReader, aligned_path
from pipeline.data.stamps import Stamps, stat_of
from pipeline.data.volume_masks import mask_rules
from pipeline.manifests import fingerprint

VERSION = "decoded/2"
"""Bumped when the same files decode to other pixels, or are written in another way."""
MEMORY_MIB = 1024  # of a job, where decoded samples are kept in memory
SUFFIX, DAMAGED, UNWRITTEN = ".decoded", ".damaged", ".unwritten"


def decode(sample: Sample, reader: SampleReader, shown: InputConfig) -> Decoded:
    """Image and truth from their files; DataError naming one that cannot be read."""
    image = reader.image(sample)
    truth, pad = reader.truth(sample, reader.own_size(image)), reader.data.frame.pad
    size = working_size((image.shape[0], image.shape[1]), shown.resize)
    valid = truth.valid
    if valid is not None:
        continued = continue_planes(valid[None].view(np.uint8), pad)
        valid = resize_planes(continued, size)[0].view(np.bool_)
    if truth.soft is not None:
        planes = resize_soft(continue_planes(truth.soft, pad), size)
    else:
        continued = continue_planes(truth.planes, pad)
        planes = resize_planes(continued, size, multiclass=reader.data.multiclass)
    objects = None
    if reader.objects and truth.instances is not None:
        codes = continue_planes(object_codes(truth.instances), pad)
        objects = codes if codes.shape[1:] == size else fit_codes(codes, planes)
    return Decoded(resize_image(image, size), planes, valid, objects)


class Cache(Protocol):
    """Where decoded samples are kept."""

    def get(self, sample: Sample) -> Decoded | None: ...

    def put(self, sample: Sample, decoded: Decoded) -> None: ...


class MemoryCache:
    """Decoded samples in this process, up to a number of bytes; the ones that came first stay."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._kept: dict[str, Decoded] = {}

    def get(self, sample: Sample) -> Decoded | None:
        return self._kept.get(sample.id)

    def put(self, sample: Sample, decoded: Decoded) -> None:
        if decoded.nbytes <= self._left:
            self._left -= decoded.nbytes
            self._kept[sample.id] = decoded


@dataclass
class DiskCache:
    """Decoded samples in files below `folder`, for every process of the run.

    A file that is damaged is renamed to `….damaged` and the sample decoded again; where nothing
    can be written, samples are decoded each time: slower, and right.
    """

    folder: Path
    reader: SampleReader
    shown: InputConfig
    _settings: str = field(default="", init=False)
    _seen_whole: set[str] = field(default_factory=set, init=False)

    @cached_property
    def _stamps(self) -> Stamps:
        return Stamps(self.reader.data, self.reader.source)

    def path(self, sample: Sample) -> Path:
        """The file of a sample as its files, and the settings that matter, are now."""
        data, aligned = self.reader.data, self.reader.aligned
        if not self._settings:
            rare = [data.ignore, data.soft] if data.ignore or data.soft else []  # else as ever
            truth = [data.masks, data.classes, data.multiclass, data.void, data.others, *rare]
            read = data.frame, data.exif, *data.band_settings
            also = [*(["objects"] if self.reader.objects else []), *mask_rules(data)]
            self._settings = fingerprint(VERSION, self.shown.resize, *read, truth, *also)
        parts = [sample.id, self._stamps.of(sample, "train"), self._settings]
        if aligned is not None:
            parts.append(stat_of(aligned_path(aligned, sample, self.reader.source)))
        name = hashlib.sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.folder / name[:2] / f"{name}{SUFFIX}"

    def get(self, sample: Sample) -> Decoded | None:
        path = self.path(sample)
        try:
            file = np.asarray(np.memmap(path, np.uint8, "r"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):  # not readable; or empty, which cannot be mapped
            file = np.empty(0, np.uint8)
        found = decoded_of(file, compare=path.name not in self._seen_whole)
        if found is None:
            rename_damaged(path)
            return None
        self._seen_whole.add(path.name)
        return found

    def put(self, sample: Sample, decoded: Decoded) -> None:
        try:
            replace_whole(self.path(sample), file_of(sample.id, decoded))
        except OSError as error:
            with suppress(OSError):  # an empty file fits where hardly anything does
                (self.folder / f"{error.errno or 0}{UNWRITTEN}").touch()


def cache_of(
    wish: CacheWish, folder: Path | None, reader: SampleReader, shown: InputConfig, shares: int
) -> Cache:
    """The cache of one process of a training.

    wish: `train.cache`; folder: of the files, None where they are not kept on the disk; shares: the
    processes that have a part of the memory each.
    """
    if folder is not None:
        return DiskCache(folder, reader, shown)
    mib = {"off": 0, "auto": MEMORY_MIB, "memory": MEMORY_MIB, "disk": 0}
    return MemoryCache((wish if isinstance(wish, int) else mib[wish]) * 2**20 // shares)


def damaged(folder: Path) -> list[Path]:
    """The files that were found damaged, and set aside, since the last look."""
    return sorted(folder.glob(f"*/*{DAMAGED}"))


def unwritten(folder: Path) -> str | None:
    """Why a sample could not be written since the last sweep; None where all could."""
    numbers = [int(path.stem) for path in folder.glob(f"*{UNWRITTEN}") if path.stem.isdecimal()]
    return os.strerror(numbers[0]) if numbers else None


def sweep_decoded(folder: Path, wanted: Iterable[Path]) -> None:
    """Remove samples of earlier files or settings, damaged ones, and what killed runs left."""
    kept = set(wanted)
    for part in folder.glob("*/"):
        sweep(part)
    for path in folder.glob(f"*{UNWRITTEN}"):
        path.unlink(missing_ok=True)
    for path in folder.glob("*/*"):
        if path not in kept and path.suffix in (SUFFIX, DAMAGED):
            path.unlink(missing_ok=True)
