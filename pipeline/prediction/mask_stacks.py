"""Puts the masks of a volume's slices together: one TIFF of a page a slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.atomic_files import stream_atomic
from pipeline.prediction.mask_files import PredictedMaskFiles


def stack_paths(files: PredictedMaskFiles, volume: str) -> list[Path]:
    """The files of a volume, in the order of `PredictedMaskFiles.masks`."""
    return [path.with_name(f"{volume}.tif") for path in files.masks(volume)]


def stack_masks(files: PredictedMaskFiles, volume: str, slices: Sequence[str]) -> None:
    """Write the masks of slices, in this order, as pages; the files of single ones are removed."""
    import tifffile

    by_slice = [files.masks(each) for each in slices]
    for target, pages in zip(stack_paths(files, volume), zip(*by_slice, strict=True), strict=True):
        first = _read(pages[0])

        def read(pages: Sequence[Path] = pages) -> Iterator[NDArray[Any]]:
            return map(_read, pages)

        stream_atomic(
            target,
            lambda stream, read=read, first=first: tifffile.imwrite(  # type: ignore[misc]
                stream,
                read(),
                shape=(len(slices), *first.shape),
                dtype=first.dtype,
                photometric="minisblack",
                compression="zlib",
                metadata={"axes": "ZYX"},
            ),
        )
        for page in pages:
            page.unlink()


def _read(path: Path) -> NDArray[Any]:
    with Image.open(path, formats=("PNG",)) as picture:
        return np.asarray(picture)
