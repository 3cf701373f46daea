"""The place of a GeoTIFF in the world, from its tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

_SCALE, _TIEPOINT, _MATRIX, _KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1025, 2048, 3072
_POINT = 2
_UNSTATED = (0, 32767)  # undefined, and user-defined


@dataclass(frozen=True)
class GeoTransform:
    """World coordinates X, Y of pixel coordinates x, y; 0, 0 is the corner of the first pixel."""

    matrix: NDArray[np.float64]
    """3×3."""
    code: int | None
    """EPSG code of the coordinates; None where the file does not say."""

    def pixels_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """N×2 X, Y -> x, y."""
        moved = points - self.matrix[:2, 2]  # first, as the rest of a large number is exact then
        return np.asarray(np.linalg.solve(self.matrix[:2, :2], moved.T).T)


def geotransform(path: Path) -> GeoTransform | None:
    """Of the first page; None for files without. DataError for one that is not affine."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            found = {each.code: each.value for each in file.pages.first.tags}
    except tifffile.TiffFileError:
        return None
    except Exception as error:  # damaged tags; reading the image will say more
        raise DataError(f"{path}: its tags cannot be read ({error})") from None
    matrix = _matrix(found, path)
    if matrix is None:
        return None
    if abs(np.linalg.det(matrix[:2, :2])) == 0 or not np.isfinite(matrix).all():
        raise DataError(f"{path}: its geotransform maps all pixels to one line")
    keys = _geokeys(found.get(_KEYS, ()))
    if keys.get(_RASTER_TYPE) == _POINT:  # the tags place the centre of the first pixel
        matrix[:2, 2] -= matrix[:2, :2] @ (0.5, 0.5)
    code = keys.get(_PROJECTED, keys.get(_GEOGRAPHIC))
    return GeoTransform(matrix, None if code in _UNSTATED else code)


def _matrix(tags: dict[int, object], path: Path) -> NDArray[np.float64] | None:
    if _MATRIX in tags:
        whole = np.array(tags[_MATRIX], np.float64)
        if whole.size != 16:
            raise DataError(f"{path}: its geotransform has {whole.size} numbers, not 16")
        return whole.reshape(4, 4)[[0, 1, 3]][:, [0, 1, 3]]
    if _SCALE not in tags or _TIEPOINT not in tags:
        return None
    scale, tie = np.array(tags[_SCALE], np.float64), np.array(tags[_TIEPOINT], np.float64)
    if tie.size != 6 or scale.size < 2:
        raise DataError(
            f"{path}: it is placed by {tie.size // 6} ground points; warp it to an even grid"
        )
    column, row, _, x, y, _ = tie
    across, down = scale[0], -scale[1]
    return np.array([[across, 0, x - column * across], [0, down, y - row * down], [0, 0, 1]])


def _geokeys(directory: object) -> dict[int, int]:
    """GeoTIFF 1.1, 7.1: groups of key, place, count, value; place 0: the value itself."""
    numbers = list(directory) if isinstance(directory, tuple | list) else []
    groups = [numbers[at : at + 4] for at in range(4, len(numbers) - 3, 4)]
    return {int(key): int(value) for key, place, _, value in groups if place == 0}
