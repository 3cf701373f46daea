"""Creates the files of a store, and repairs damaged ones."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.atomic_files import sweep, write_atomic
from pipeline.errors import ArtefactError
from pipeline.maps import disk, locks
from pipeline.maps.codec import SlotCodec, codec_of
from pipeline.maps.header import StoreHeader, read_header
from pipeline.maps.index import MapIndex
from pipeline.maps.records import Records

HEADER = "header.json"
INDEX = "index.csv"
RECORDS = "records.npy"


def lay_out(folder: Path, header: StoreHeader, index: MapIndex) -> None:
    """Make the files of an empty store, or those that are missing of the store there.

    Raises ArtefactError if the store there is another one, ResourceError if the disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with creating(folder):
        if (folder / HEADER).exists():
            header = replace(header, format=_check_same(folder, header))
        else:
            _clear(folder, RECORDS, "maps.*")
        sweep(folder)
        _write_files(folder, header, index)


def creating(folder: Path) -> AbstractContextManager[None]:
    """Wait to be the only process that creates files in that folder."""
    return locks.whole_folder(folder / ".creating")


def _check_same(folder: Path, header: StoreHeader) -> int:
    """The format of the store there, which is the one that is asked for."""
    there = read_header(folder / HEADER)
    difference = there.difference(header)
    if difference:
        raise ArtefactError(
            f"{folder} holds maps of another run: {difference}; "
            "remove that folder to regenerate them"
        )
    return there.format


def _clear(folder: Path, *patterns: str) -> None:
    """Remove temporary files of killed processes."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()


def _write_files(folder: Path, header: StoreHeader, index: MapIndex) -> None:
    """Write missing or damaged files; the header comes last, since it marks a complete store."""
    codec = codec_of(header.codec, index, header.dtype)
    _put_whole(folder / INDEX, index.to_csv())
    _lay_out_records(folder, codec, index)
    (disk.make_sparse if codec.packed else disk.allocate)(folder / codec.file_name, codec.size)
    with disk.opened(folder / codec.file_name) as descriptor:
        disk.write_at(descriptor, codec.preamble, 0, folder / codec.file_name)
    _put_whole(folder / HEADER, header.to_json().encode())


def _put_whole(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def _lay_out_records(folder: Path, codec: SlotCodec, index: MapIndex) -> None:
    """Keep the records there are, less those of maps that the data file no longer holds."""
    data = folder / codec.file_name
    size = data.stat().st_size if data.is_file() else 0
    try:
        records = Records(folder / RECORDS, len(index.ids), writable=True)
    except ArtefactError:
        Records.create(folder / RECORDS, len(index.ids))
    else:
        records.forget(np.flatnonzero(records.declared & ~records.done(codec, size)))


def read_index(path: Path, header: StoreHeader) -> MapIndex:
    data = path.read_bytes() if path.is_file() else b""
    if index_sha256(data) != header.index_sha256:
        raise ArtefactError(f"{path} is missing or altered; run `make infer`")
    return MapIndex.from_csv(data)


def index_sha256(index: bytes) -> str:
    return hashlib.sha256(index).hexdigest()
