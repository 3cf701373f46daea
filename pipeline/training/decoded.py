"""Decoded samples, kept so that no epoch, fold or model decodes a file that another has decoded.

On the disk a sample is one file, which appears whole and is memory-mapped: a crop reads the rows
that it needs, all processes of a machine share what the system keeps of it in memory, and opening
costs the same for one sample as for a million. Its name says what it was made from, so a file is
either right or not looked for.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import rename_damaged, replace_whole
from pipeline.config import InputConfig
from pipeline.config.choices import CacheWish
from pipeline.data.catalog import Sample
from pipeline.data.frame import continue_planes
from pipeline.data.image_sources.source import Pixels
from pipeline.data.inspection import stamp_of
from pipeline.data.resize import resize_image, resize_planes, working_size
from pipeline.data.samples import SampleReader, aligned_path
from pipeline.manifests import fingerprint

VERSION = "decoded/1"
"""Bumped when the same files decode to other pixels, or are written in another way."""
HEADER_BYTES = 4096
MEMORY_MIB = 1024  # of a job, where decoded samples are kept in memory
SUFFIX, DAMAGED = ".decoded", ".damaged"


class Decoded(NamedTuple):
    """A sample as it is augmented: at the network's working size, in its frame."""

    image: Pixels
    """HWC, as the source reads it."""
    planes: NDArray[np.uint8]
    """CHW of 0/1."""
    valid: NDArray[np.bool_] | None
    """HW; None where no pixel is void."""

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self if array is not None)


def decode(sample: Sample, reader: SampleReader, shown: InputConfig) -> Decoded:
    """Image and truth from their files; DataError naming one that cannot be read."""
    image = reader.image(sample)
    truth, pad = reader.truth(sample, reader.own_size(image)), reader.data.frame.pad
    size = working_size((image.shape[0], image.shape[1]), shown.resize)
    valid = truth.valid
    if valid is not None:
        continued = continue_planes(valid[None].view(np.uint8), pad)
        valid = resize_planes(continued, size)[0].view(np.bool_)
    continued = continue_planes(truth.planes, pad)
    planes = resize_planes(continued, size, multiclass=reader.data.multiclass)
    return Decoded(resize_image(image, size), planes, valid)


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

    def path(self, sample: Sample) -> Path:
        """The file of a sample as its files, and the settings that matter, are now."""
        data, aligned = self.reader.data, self.reader.aligned
        if not self._settings:
            truth = data.classes, data.multiclass, data.void, data.frame, data.exif
            self._settings = fingerprint(VERSION, self.shown.resize, truth)
        parts = [sample.id, stamp_of(sample, "train", data), self._settings]
        if aligned is not None:
            status = aligned_path(aligned, sample, self.reader.source).stat()
            parts.append(f"{status.st_size}:{status.st_mtime_ns}")
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
        found = _read(file, unless_seen=path.name not in self._seen_whole)
        if found is None:
            rename_damaged(path)
            return None
        self._seen_whole.add(path.name)
        return found

    def put(self, sample: Sample, decoded: Decoded) -> None:
        payload = [_bytes_of(array) for array in decoded if array is not None]
        facts = {
            "id": sample.id,
            "image": decoded.image.shape,
            "dtype": decoded.image.dtype.str,
            "planes": decoded.planes.shape,
            "valid": decoded.valid is not None,
            "crc": _checksum(payload),
        }
        header = json.dumps({**facts, "seal": fingerprint(facts)}).encode("utf-8", "surrogatepass")
        if len(header) <= HEADER_BYTES:
            with suppress(OSError):
                replace_whole(self.path(sample), [header.ljust(HEADER_BYTES), *payload])


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


def sweep_decoded(folder: Path, wanted: Iterable[Path]) -> None:
    """Remove what is kept of samples as they were once, and what was damaged."""
    kept = set(wanted)
    for path in folder.glob("*/*"):
        if path not in kept and path.suffix in (SUFFIX, DAMAGED):
            path.unlink(missing_ok=True)


def decoded_bytes(size: tuple[int, int], itemsize: int, classes: int, void: bool) -> int:
    """What a sample of that H, W takes; itemsize: bytes of all channels of one pixel."""
    return HEADER_BYTES + size[0] * size[1] * (itemsize + classes + void)


def _read(file: NDArray[np.uint8], *, unless_seen: bool) -> Decoded | None:
    """The arrays in a file, as views; None if it is not as it was written.

    unless_seen: compare the checksum, which reads every byte.
    """
    try:
        facts = json.loads(file[:HEADER_BYTES].tobytes())
        seal = facts.pop("seal")
        if seal != fingerprint(facts):
            return None
        height, width, channels = facts["image"]
        dtype = np.dtype(facts["dtype"])
        image_bytes = height * width * channels * dtype.itemsize
        plane_bytes = int(np.prod(facts["planes"]))
        valid_bytes = height * width if facts["valid"] else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    body = file[HEADER_BYTES:]
    if body.size != image_bytes + plane_bytes + valid_bytes:
        return None
    if unless_seen and zlib.crc32(body.data) != facts["crc"]:
        return None
    image, planes, valid = np.split(body, [image_bytes, image_bytes + plane_bytes])
    return Decoded(
        image.view(dtype).reshape(height, width, channels),
        planes.reshape(facts["planes"]),
        valid.view(np.bool_).reshape(height, width) if valid_bytes else None,
    )


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(pieces: list[memoryview]) -> int:
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return crc
