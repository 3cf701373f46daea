"""Large arrays in nameless files: what does not fit into memory waits on the disk."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.disk_space import FULL, disk_error


def scratch_array(folder: Path, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros in a file of `folder`, which goes with the array.

    Its space is taken at once: a memory map on a full disk would end the process without a word.
    ResourceError where there is not as much.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in FULL:
                raise disk_error(error, folder / "a temporary file", size) from None
            raise
        return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
