"""Looks into a few volumes: what their slices hold, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.volumes import stored_volume
from pipeline.errors import DataError
from pipeline.proposal.findings import Sureness
from pipeline.proposal.looks import FEW, FLAT, Look, Reader, flat_share
from pipeline.proposal.volume_tree import DICOM, FOLDER, as_stored

_SLICES = 5  # of a volume


@dataclass(frozen=True)
class Volumes:
    """What the volumes of the images are."""

    slices: tuple[int, ...]
    """Of each that was opened."""
    bands: int
    dtype: str
    kind: str
    """What a slice is, in words."""
    sureness: Sureness
    """That these are slices, and no bands or objects."""


class VolumeReader(Reader):
    """Reads a few slices of volumes, by their names in a `volume_tree`."""

    def look_into(self, look: Look, name: str, left: int) -> int:
        volume = stored_volume(self.root / as_stored(name))
        height, width = volume.plane_shape[:2]
        look.sizes.append((height, width))
        step = max(1, volume.planes // _SLICES)
        for plane in range(step // 2, volume.planes, step):
            left -= height * width
            if left >= 0:
                _add(look, volume.read(plane=plane))
        return left

    def volumes(self, paths: Sequence[str]) -> Volumes:
        """What they are, from their headers."""
        opened: list[ArrayFile] = []
        for name in paths:
            try:
                opened.append(stored_volume(self.root / as_stored(name)))
            except DataError:
                continue  # as `check` will say
        slices = tuple(sorted(each.planes for each in opened))
        one = opened[0] if opened else None
        bands = one.shape[-1] if one is not None and one.axes.endswith("C") else 1
        kind, sureness = _kind(paths[0], None if one is None else one.path)
        return Volumes(slices, bands, "unknown" if one is None else str(one.dtype), kind, sureness)


def _kind(name: str, path: Path | None) -> tuple[str, Sureness]:
    if name.endswith(FOLDER):
        is_series = path is not None and any(
            each.suffix.lower() in DICOM for each in path.iterdir()
        )
        return ("files of a DICOM series", "sure") if is_series else ("numbered files", "likely")
    ending = as_stored(name).lower()
    if ending.endswith((".nii", ".nii.gz")):
        return "planes of a NIfTI", "sure"
    if ending.endswith((".tif", ".tiff")):
        return "pages of a TIFF", "likely"
    return "planes of an array of three sides, which may be bands, too", "likely"


def _add(look: Look, plane: NDArray[Any]) -> None:
    whole = plane.ndim == 2 and bool((np.isfinite(plane) & (plane == np.rint(plane))).all())
    found = np.unique(plane) if whole else np.empty(0)
    if not whole or (len(found) > FEW and flat_share(plane) < FLAT):
        look.photos += 1
        return
    look.drawings += 1
    look.values.append(tuple(found.astype(np.int64).tolist()))
    for value in found.astype(np.int64).tolist():
        inside = plane == value
        look.pixels[value] = look.pixels.get(value, 0) + int(inside.sum())
        if value and len(found) <= FEW:
            look.pieces += cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)[0] - 1
