"""Finds chunks of a zarr folder that were cut off, where decoding them would not notice."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

_HEADER = 16
_SIZE = slice(12, 16)
"""Of a Blosc chunk, within its header: the bytes that it has."""


def require_whole_chunks(folder: Path, array: Any, cut: tuple[int | slice, ...]) -> None:
    """ValueError naming the first chunk under `cut` that is shorter than it says.

    Blosc does not look at the length of what it decodes. folder: of the array, in a folder store.
    """
    if array.shards is not None or not _is_blosc(array):
        return
    for place in product(*map(_chunks, cut, array.chunks, array.shape)):
        file = folder / array.metadata.encode_chunk_key(place)
        if not file.is_file():  # never written: its pixels are the fill value
            continue
        with file.open("rb") as stream:
            header = stream.read(_HEADER)
        promised = int.from_bytes(header[_SIZE], "little")
        if len(header) < _HEADER or file.stat().st_size < promised:
            raise ValueError(f"chunk {file.relative_to(folder)} is cut off")


def _chunks(cut: int | slice, chunk: int, side: int) -> range:
    if isinstance(cut, int):
        return range(cut // chunk, cut // chunk + 1)
    start, stop, _ = cut.indices(side)
    return range(start // chunk, -(-stop // chunk))


def _is_blosc(array: Any) -> bool:
    if array.metadata.zarr_format == 2:
        return getattr(array.metadata.compressor, "codec_id", "") == "blosc"
    last = array.metadata.codecs[-1]
    return type(last).__name__ == "BloscCodec"
