"""An array in a file, known from its header and read a plane or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.numbers import read_as
from pipeline.data.decoding_memory import memory_for_bytes
from pipeline.data.pages import RefusedError
from pipeline.errors import DataError

_COPIES = 2  # of what is read: the stored numbers, and those in the type and order that are given


class Pixels(Protocol):
    """One format's way to the pixels of one file. A value that can be pickled: nothing is open."""

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        """Rows start..stop of a plane, YX or YXC, in any type that `ArrayFile.dtype` comes from.

        Raises anything; `ArrayFile.read` says which file it was.
        """
        ...


@dataclass(frozen=True)
class ArrayFile:
    """What is in a file, from its header. A value: cheap to keep and to pickle."""

    path: Path
    axes: str
    """Of `shape`: YX, YXC, ZYX or ZYXC. C are bands, Z slices, pages or frames."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    """Of what is read: uint8 to uint32, int8 to int32, float32 or float64, in native byte order."""
    no_data: float | None
    """The value of pixels that say nothing, in numbers as they are read; None: none is named."""
    spacing: tuple[float, ...] | None
    """Of one step along Z, Y, X (without Z: Y, X), in the file's unit; None where one is unknown.
    """
    notes: tuple[str, ...]
    """Facts that a person should know: what was left out, and what a tag says."""
    pixels: Pixels = field(repr=False)

    @property
    def planes(self) -> int:
        return self.shape[0] if "Z" in self.axes else 1

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """H, W or H, W, C of one plane."""
        return self.shape["Z" in self.axes :]

    def read(self, rows: slice = slice(None), plane: int | None = None) -> NDArray[Any]:
        """Rows of one plane, YX or YXC of `dtype`; all rows of the only plane by default.

        Raises DataError naming the file: damaged, too large for the memory that is free, without
        such a plane, or with several where none is named.
        """
        start, stop, step = rows.indices(self.plane_shape[0])
        assert step == 1, "rows are read one after the other"
        shape = (max(0, stop - start), *self.plane_shape[1:])
        number = self._number(plane)
        if not shape[0]:
            return np.empty(shape, self.dtype)
        with errors_named(self.path):
            needed = _COPIES * self.dtype.itemsize * int(np.prod(shape, dtype=object))
            with memory_for_bytes(needed):
                found = read_as(self.pixels.read(start, stop, number), self.dtype)
            if found.shape != shape:
                raise ValueError(f"its pixels are {found.shape} and not {shape}")
            return found

    def _number(self, plane: int | None) -> int:
        if plane is None and self.planes > 1:
            raise DataError(
                f"{self.path} holds {self.planes} slices; choose one of 0 to {self.planes - 1}"
            )
        if not 0 <= (plane or 0) < self.planes:
            raise DataError(f"{self.path} has no slice {plane}: they are 0 to {self.planes - 1}")
        return plane or 0


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn whatever damaged bytes bring out of a decoder into a DataError that names the file."""
    try:
        yield
    except DataError:
        raise
    except RefusedError as error:
        raise DataError(f"{path} {error}") from None
    except MemoryError:
        raise DataError(f"{path} cannot be decoded: there is not enough memory for it") from None
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}") from None
    except Exception as error:
        reason = (str(error) or type(error).__name__).strip().rstrip(".")
        raise DataError(f"{path} cannot be decoded ({reason}); get the file again") from None
