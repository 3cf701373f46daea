"""A way out for images that are not 8-bit RGB: what is in the file, and the key that reads it."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

_NAMED = 4


def band_hint(path: Path) -> str:
    """What follows a message about such a file; empty where naming its bands would not help."""
    try:
        if not is_array_file(path):
            return ""
        file = open_array(path)
    except DataError as error:
        return f" ({error})" if "axes" in str(error) or "complex" in str(error) else ""
    count = file.shape[-1] if file.axes.endswith("C") else 1
    names = [f"band{number}" for number in range(1, min(count, _NAMED) + 1)]
    shown = ", ".join(names) + (", …" if count > _NAMED else "")
    sides = "×".join(map(str, file.shape))
    if file.planes > 1:
        return (
            f"; or make each of its {file.planes} slices an image: data.volume: {{}}, data.bands: "
            f"[{shown}]"
        )
    return f"; it holds {sides} {file.dtype}: to read all of it, set data.bands: [{shown}]"
