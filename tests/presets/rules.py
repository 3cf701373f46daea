"""Checks submissions by the rules of their competitions, written without the product's code."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

Size = tuple[int, int]


@dataclass(frozen=True)
class Rules:
    """What a competition says of its file."""

    header: list[str]
    keys: list[str]
    """In the order of the sample file."""
    size: Size
    empty: str = ""
    relative: bool = False
    objects: bool = False
    """Objects have a row each, so a key may come again, and rows of one key are disjoint."""

    def check(self, path: Path) -> int:
        """Assert that the file keeps the rules; returns the number of covered pixels."""
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == self.header
        keys = [key for key, _ in rows]
        assert (list(dict.fromkeys(keys)) if self.objects else keys) == self.keys
        covered: dict[str, set[int]] = {key: set() for key in keys}
        for key, cell in rows:
            pixels = self._pixels(cell)
            assert not covered[key] & pixels, f"{key}: objects overlap"
            covered[key] |= pixels
        return sum(map(len, covered.values()))

    def _pixels(self, cell: str) -> set[int]:
        if cell == self.empty:
            return set()
        numbers = [int(number) for number in cell.split(" ")]
        assert len(numbers) % 2 == 0
        pixels: list[int] = []
        end = 0 if self.relative else 1
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            first = end + start if self.relative else start
            assert first >= end and length > 0, "runs are sorted, disjoint and not empty"
            pixels += range(first, first + length)
            end = first + length
        last = self.size[0] * self.size[1] - (1 if self.relative else 0)
        assert pixels[-1] <= last, "runs end within the image"
        return set(pixels)
