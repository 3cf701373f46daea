"""A nameless file that is appended to and then mapped: large arrays without private memory.

The system keeps in memory what fits and leaves the rest on disk; the file is gone with the
process, however that ends.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.disk_space import FULL
from pipeline.errors import ResourceError


class Spool:
    """Arrays of one type, one after another, in a temporary file of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as its map
        self._bytes = 0

    def append(self, values: NDArray[Any]) -> None:
        """Add the numbers of an array, in C order.

        Raises ResourceError when the disk is full; written, not mapped, so that this is an error
        and not a dead process.
        """
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        try:
            self._file.write(data.data)
            self._file.flush()
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise ResourceError(
                f"{self._folder}: the disk is full after {self._bytes / 1e9:.1f} GB of a temporary "
                "file of the search; free some space, or set ensemble.threshold to a number"
            ) from None
        self._bytes += data.size

    def finish(self, dtype: DTypeLike) -> NDArray[Any]:
        """Everything appended, as a flat read-only array."""
        if not self._bytes:
            nothing = np.empty(0, dtype)
            nothing.flags.writeable = False
            return nothing
        return np.asarray(np.memmap(self._file, dtype, mode="r"))
