"""Refuses the numbers of a TIFF that are of a kind that is not read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.array_files.numbers import complex_refused
from pipeline.data.pages import RefusedError

if TYPE_CHECKING:
    import tifffile

_SAMPLE_FORMAT = 339
_KNOWN = {1, 2, 3, 4}
"""Unsigned and signed integers, floats, and undefined, which is read as unsigned."""
_INTEGERS, _FLOATS = 5, 6
"""Complex ones."""


def open_tiff(path: Path) -> tifffile.TiffFile:
    """The file, to be closed by the caller. RefusedError for complex numbers, and for kinds and
    widths of numbers, or ways to compress them, that are not read.
    """
    import tifffile

    try:
        file = tifffile.TiffFile(path, _multifile=False)
    except TypeError as error:  # tifffile asks numpy for complex integers, which it has not
        if "'E'" in str(error):
            raise complex_refused("integers") from None
        raise
    try:
        if page := next(iter(file.pages), None):
            _check(page.aspage())
    except BaseException:
        file.close()
        raise
    return file


def _check(page: tifffile.TiffPage) -> None:
    import tifffile

    tag = page.tags.get(_SAMPLE_FORMAT)
    kinds = {1} if tag is None else {*(tag.value if isinstance(tag.value, tuple) else [tag.value])}
    bits = page.bitspersample
    for kind in sorted(map(int, kinds)):
        if kind in (_INTEGERS, _FLOATS):
            raise complex_refused("integers" if kind == _INTEGERS else f"complex{bits}")
        if kind not in _KNOWN:
            raise RefusedError(
                f"has numbers of the unknown TIFF sample format {kind}; save it as float32"
            )
    if page.dtype is None:
        raise RefusedError(f"has numbers of {bits} bits, which are not read; save it as float32")
    if page.compression != 1 and page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise RefusedError(f"is compressed in a way that is not read ({name}); save it as deflate")
