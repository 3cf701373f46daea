"""What mask files were made from, so that those that are stored can be compared with it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.data.listing import listed
from pipeline.errors import DataError
from pipeline.submission.mask_encoding import Mask, decode_mask


@dataclass
class MaskRecord:
    """A digest a file, and how many images have each kind of plane. Not for several threads."""

    digests: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def count(self, kinds: Sequence[str]) -> None:
        """The kinds of the planes of one image."""
        for place, kind in enumerate(kinds):
            self.kinds[place][kind] += 1

    @property
    def uniform(self) -> dict[int, str]:
        return uniform_kinds(self.kinds)

    def compare(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """DataError where a file is missing, was not asked for, or holds another mask."""
        left = dict(self.digests)
        for name, content in stored:
            mask = decode_mask(content, name)
            digest = PageDigest()
            for _ in digest.of([mask] if mask.ndim == 2 else mask):
                pass
            if left.pop(name, None) != digest.value:
                raise DataError(f"{name} does not decode to its mask; nothing was written")
        if left:
            raise DataError(f"{listed(list(left))}: not stored; nothing was written")


class PageDigest:
    """The digest of pages that pass through it."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def of(self, pages: Iterable[Mask]) -> Iterator[Mask]:
        """The same pages."""
        for page in pages:
            self._digest.update(f"{page.shape} {page.dtype}".encode())
            self._digest.update(np.ascontiguousarray(page).tobytes())
            yield page

    @property
    def value(self) -> bytes:
        """Of the pages so far."""
        return self._digest.digest()


def kinds_of(planes: NDArray[np.bool_]) -> list[str]:
    """Of each plane: "empty", "everywhere" or "mask"."""
    return ["everywhere" if plane.all() else "mask" if plane.any() else "empty" for plane in planes]


def uniform_kinds(kinds: Mapping[int, Counter[str]]) -> dict[int, str]:
    """Classes that are "empty" or "everywhere" on every image."""
    return {
        plane: next(iter(seen))
        for plane, seen in sorted(kinds.items())
        if len(seen) == 1 and "mask" not in seen
    }
