"""The checksum of a stored map, by the format of the store that holds it.

Format 2 keeps the low half of XXH3 (64 bits), which reads as fast as memory gives; format 1 kept
CRC-32. Stores of format 1 are read, verified and continued as they are.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Protocol

import xxhash

FORMAT = 2
"""Of new stores."""
_HALF = 2**32 - 1


class Checksum(Protocol):
    """The checksum of bytes that come piece by piece, in order."""

    def update(self, data: memoryview) -> None:
        """Go on with these bytes."""

    @property
    def value(self) -> int:
        """That of all bytes so far, 32 bits."""


class _Crc32:
    def __init__(self, seed: int) -> None:
        self.value = seed

    def update(self, data: memoryview) -> None:
        self.value = zlib.crc32(data, self.value)


class _Xxh3:
    def __init__(self, seed: int) -> None:
        self._state = xxhash.xxh3_64(seed=seed)

    def update(self, data: memoryview) -> None:
        self._state.update(data)

    @property
    def value(self) -> int:
        return self._state.intdigest() & _HALF


CHECKSUMS: dict[int, Callable[[int], Checksum]] = {1: _Crc32, 2: _Xxh3}


def new_checksum(format: int, seed: int = 0) -> Checksum:
    """The checksum of nothing yet, in a store of that format; seed: 32 bits that it depends on."""
    return CHECKSUMS[format](seed)


def checksum(data: memoryview, format: int, seed: int = 0) -> int:
    """That of some bytes, 32 bits."""
    running = new_checksum(format, seed)
    running.update(data)
    return running.value


def checksum_on_disk(
    running: Checksum, descriptor: int, start: int, length: int, buffer: bytearray
) -> int | str:
    """`running` and then the bytes of a file from `start`, read piece by piece; or why they cannot
    be read.
    """
    end = start + length
    while start < end:
        expected = memoryview(buffer)[: end - start]
        try:
            count = os.preadv(descriptor, [expected], start)
        except OSError as error:
            return f"unreadable ({error.strerror})"
        if count < len(expected):
            return "truncated"
        running.update(expected)
        start += count
    return running.value
