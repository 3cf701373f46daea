"""The layout of maps in the data file, and their compression.

Every map has a slot of its own at a place that only the index decides, so that processes write
without agreeing on anything and a run that was killed and resumed ends with the same bytes.
blosc2 keeps this by compressing into slots of full size in a sparse file: the unused rest of a
slot takes no disk.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.config.choices import Codec
from pipeline.errors import ConfigError
from pipeline.maps import npy
from pipeline.maps.index import MapIndex

Bytes = NDArray[np.uint8]


class SlotCodec(Protocol):
    """Slots of one data file."""

    file_name: str
    preamble: bytes
    packed: bool
    """True if slots are of full size but sparse, with the packed map at the start of each."""
    starts: NDArray[np.int64]
    """Where the slot of each row begins in the file, in bytes."""
    sizes: NDArray[np.int64]
    """The bytes of each slot."""
    size: int
    """Bytes of the whole file."""

    def encode(self, values: NDArray[Any]) -> memoryview:
        """The bytes to store for one map (contiguous, of the stored dtype)."""

    def decode(self, data: Bytes) -> Bytes:
        """The map's own bytes again; a view of `data` where nothing is packed."""


class RawCodec:
    """`maps.npy`: all maps one after another in a flat array that `numpy.load` opens."""

    file_name = "maps.npy"
    packed = False

    def __init__(self, index: MapIndex, dtype: np.dtype[Any]) -> None:
        self.preamble = npy.preamble((index.total,), dtype)
        self.starts = len(self.preamble) + index.offsets * dtype.itemsize
        self.sizes = index.sizes * dtype.itemsize
        self.size = len(self.preamble) + index.total * dtype.itemsize

    def encode(self, values: NDArray[Any]) -> memoryview:
        return values.data.cast("B")

    def decode(self, data: Bytes) -> Bytes:
        return data


class Blosc2Codec:
    """`maps.blosc2`: each map one blosc2 chunk (zstd, shuffled bits) at the start of its slot."""

    file_name = "maps.blosc2"
    preamble = b"maskmill blosc2\n"
    packed = True

    def __init__(self, index: MapIndex, dtype: np.dtype[Any]) -> None:
        self._blosc2 = _import_blosc2()
        self._itemsize = dtype.itemsize
        # What does not compress grows by this much.
        overhead = int(self._blosc2.MAX_OVERHEAD)
        self.sizes = index.sizes * dtype.itemsize + overhead
        if (self.sizes > self._blosc2.MAX_BUFFERSIZE).any():
            large = index.ids[int(self.sizes.argmax())]
            raise ConfigError(
                "infer.codec: blosc2 packs a map in one piece of up to 2 GiB, and that of "
                f"{large!r} has {int(self.sizes.max()):,} bytes; use codec raw"
            )
        ends = len(self.preamble) + np.cumsum(self.sizes)
        self.starts = ends - self.sizes
        self.size = int(ends[-1])

    def encode(self, values: NDArray[Any]) -> memoryview:
        packed = self._blosc2.compress2(
            values.reshape(-1),
            codec=self._blosc2.Codec.ZSTD,
            clevel=1,
            typesize=self._itemsize,
            filters=[self._blosc2.Filter.BITSHUFFLE],
        )
        return memoryview(packed)

    def decode(self, data: Bytes) -> Bytes:
        return np.frombuffer(self._blosc2.decompress2(data.tobytes()), np.uint8)


def codec_of(name: Codec, index: MapIndex, dtype: str) -> SlotCodec:
    codec = {"raw": RawCodec, "blosc2": Blosc2Codec}[name]
    return cast("SlotCodec", codec(index, np.dtype(dtype)))


def _import_blosc2() -> Any:
    try:
        import blosc2
    except ImportError:
        raise ConfigError(
            "codec blosc2 needs the package of that name: pip install blosc2, or use codec raw"
        ) from None
    return blosc2
