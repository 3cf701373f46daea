"""Masks of one file an image, whose colours are the classes (and void, if any)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig
from pipeline.data.containers import converted, open_picture
from pipeline.data.ground_truth import Truth
from pipeline.data.images import SIXTEEN_BIT, read_bytes
from pipeline.data.listing import enumerated
from pipeline.data.masks.files import MaskFiles, check_size
from pipeline.errors import DataError
from pipeline.size import Size

_BLACK = "#000000"


class ColourMaps(MaskFiles):
    """A file an image; see `MaskFormat`. Black is of no class, unless it is a class or void."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data, str(data.masks)) if data.has_values and data.has_colours else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        path = self.the_only(sample_id, files)
        codes = _codes(path, turn=self.data.turns)
        check_size(codes.shape, size, path)
        planes = np.stack([codes == _code(each) for each in self.data.classes.values()])
        valid = None if self.data.void is None else np.asarray(codes != _code(self.data.void))
        known = np.asarray(planes.any(axis=0))
        if valid is not None:
            known |= ~valid
        if not self.data.multiclass:
            known |= codes == _code(_BLACK)
        if self.data.others == "void":
            valid = known if valid is None else np.asarray(valid & known)
        elif self.data.others == "error" and not known.all():
            raise _unknown(codes[~known], path)
        return Truth(planes.view(np.uint8), valid)


def _codes(path: Path, *, turn: bool) -> NDArray[np.uint32]:
    """The colour of each pixel as one number, HW."""
    picture = open_picture(read_bytes(path), path, turn=turn)
    image = picture.pixels
    if picture.header.lossy:
        raise DataError(
            f"{path} is a {picture.header.lossy}, which changes colours, so that they name no "
            "class any more; get the masks as PNG"
        )
    if image.mode in SIXTEEN_BIT or picture.header.bits > 8:
        raise DataError(f"{path} has {picture.header.bits} bits a channel; colours have 8")
    pixels = np.asarray(converted(image, "RGBA", path))
    if (pixels[..., 3] != 255).any():
        raise DataError(f"{path} has transparent pixels, whose colour nobody sees; save it as RGB")
    red, green, blue = (pixels[..., each].astype(np.uint32) for each in range(3))
    return np.asarray(red << 16 | green << 8 | blue)


def _code(colour: str | int) -> int:
    return int(str(colour)[1:], 16)


def _unknown(codes: NDArray[np.uint32], path: Path) -> DataError:
    """The error that lists colours without meaning, the most frequent first."""
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    texts = [f"#{found[each]:06x} ({counts[each]} pixels)" for each in order]
    blur = "; so many look as if the mask was resized or is lossy" if len(found) > 200 else ""
    return DataError(
        f"{path} holds colours that are neither in data.classes nor data.void: "
        f"{enumerated(texts)}{blur}; list them, or set data.others"
    )
