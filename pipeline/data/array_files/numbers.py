"""The types of number that arrays are read in, and what becomes of all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.pages import RefusedError

_KEPT = {np.dtype(name) for name in ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8")}
_EXACT = 2**53
"""Above it, float64 leaves out integers, but not all of them: -2^63 is often no data."""
_INTEGERS = "iu"


def type_read(stored: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which numbers stored as `stored` are read, in native byte order.

    float16 becomes float32, and yes-or-no becomes uint8 of 0 and 1. Integers of 64 bits become
    float64, which keeps them up to 2^53; `read_as` refuses larger ones that are changed by
    it. RefusedError for what is no number, and for complex numbers.
    """
    if stored.kind == "T":  # texts, which have no byte order
        raise RefusedError("holds texts, which are no numbers of pixels; save it as float32")
    native = stored.newbyteorder("=")
    if native in _KEPT:
        return native
    if native == np.float16:
        return np.dtype(np.float32)
    if native == np.bool_:
        return np.dtype(np.uint8)
    if native.kind in _INTEGERS:
        return np.dtype(np.float64)
    if native.kind == "c":
        raise complex_refused(str(native))
    if native.hasobject:
        raise RefusedError("holds Python objects, which are never read; save it as plain numbers")
    raise RefusedError(f"holds {native}, which are no numbers of pixels; save it as float32")


def complex_refused(kind: str) -> RefusedError:
    """The error for complex pixels. kind: of number."""
    return RefusedError(
        f"holds complex numbers ({kind}); save their amplitude (and phase, as a second band) as "
        "float32"
    )


def read_as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values in the type that `type_read` names, C-contiguous and writable, each one unchanged."""
    if values.dtype.kind in _INTEGERS and values.dtype.itemsize == 8 and values.size:
        low, high = int(values.min()), int(values.max())
        least, most = (
            (-_EXACT, _EXACT)
            if dtype.kind == "f"
            else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        )
        if (low < least or high > most) and not (dtype.kind == "f" and _are_exact(values)):
            raise RefusedError(
                f"holds integers of {low} to {high}, beyond those that are read exactly"
            )
    if values.dtype == dtype and values.flags.c_contiguous and values.flags.writeable:
        return values
    return np.array(values, dtype=dtype, order="C")


def _are_exact(values: NDArray[Any]) -> bool:
    """True if float64 keeps all of these integers of 64 bits."""
    floats = values.astype(np.float64)
    fits = floats < float(np.iinfo(values.dtype).max)  # which float64 rounds up, beyond the type
    return bool(fits.all()) and bool((floats.astype(values.dtype) == values).all())


def no_data_in(value: float | None, dtype: np.dtype[Any]) -> float | None:
    """A no-data value as pixels of a type hold it; None where none of them can be it."""
    if value is None:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return float(np.asarray(value).astype(dtype))
    limits = np.iinfo(dtype)
    return float(value) if limits.min <= value <= limits.max and value == int(value) else None
