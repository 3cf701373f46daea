"""Pixels that a crop with foreground is placed around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.data.decoded_file import Decoded
from pipeline.data.ground_truth import CERTAIN
from pipeline.training.sampling import ANY_CLASS

CANDIDATES = 256
"""Of a class in an image: few enough to keep of many images, and many against one crop."""
MOST_BYTES = 2**26
"""Of candidates that a process keeps; those of further images are looked for again each time."""

Candidates = list[NDArray[np.int64]]
"""By class: positions (row × width + column) of some of its pixels, in no order."""


class Foreground:
    """Finds pixels of classes; a mask is searched once, whatever its size.

    Candidates are drawn from (seed, index of the image), so that every loader process has the same.
    """

    def __init__(self, seed: int, soft: bool) -> None:
        """soft: whether planes are 0..CERTAIN, not 0/1."""
        self._seed, self._least = seed, CERTAIN / 2 if soft else 1
        self._kept: dict[int, Candidates] = {}
        self._left = MOST_BYTES

    def pixel(
        self, index: int, decoded: Decoded, focus: int, random: np.random.Generator
    ) -> tuple[int, int] | None:
        """(row, column) of a valid pixel of the class `focus`, or of any class that is there.

        None where the image has no such pixel; `random` then has made the same draws.
        """
        candidates = self._candidates(index, decoded)
        class_draw, pixel_draw = random.random(2)
        wanted = range(len(candidates)) if focus == ANY_CLASS else [focus]
        there = [candidates[number] for number in wanted if candidates[number].size]
        if not there:
            return None
        chosen = there[int(class_draw * len(there))]
        row, column = divmod(int(chosen[int(pixel_draw * len(chosen))]), decoded.planes.shape[2])
        return row, column

    def _candidates(self, index: int, decoded: Decoded) -> Candidates:
        kept = self._kept.get(index)
        if kept is None:
            kept = self._searched(index, decoded)
            size = sum(each.nbytes for each in kept)
            if size <= self._left:
                self._left -= size
                self._kept[index] = kept
        return kept

    def _searched(self, index: int, decoded: Decoded) -> Candidates:
        random, found = np.random.default_rng([self._seed, index, 6]), []
        for plane in decoded.planes:
            is_there = plane >= self._least
            if decoded.valid is not None:
                is_there &= decoded.valid
            pixels = np.flatnonzero(is_there)
            if pixels.size > CANDIDATES:
                pixels = random.choice(pixels, CANDIDATES, replace=False, shuffle=False)
            found.append(pixels)
        return found
