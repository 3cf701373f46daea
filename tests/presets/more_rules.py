"""Checks submissions that are no plain run lengths by the rules of their competitions, with the
readers that hosts use and without the product's code.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from pycocotools import mask as coco

Size = tuple[int, ...]


@dataclass(frozen=True)
class FileRules:
    """Mask files of just these names, of uint8, this shape and these values."""

    names: list[str]
    shape: Size
    values: set[int]
    suffix: str = ""

    def check(self, path: Path) -> int:
        """Assert that the files keep the rules; returns the number of covered pixels."""
        assert path.suffix == self.suffix
        files = self._files(path)
        assert sorted(files) == sorted(self.names)
        masks = [self._mask(name, content) for name, content in files.items()]
        for mask in masks:
            assert (mask.dtype, mask.shape) == (np.uint8, self.shape)
            assert set(np.unique(mask).tolist()) <= self.values
        return sum(int((mask > 0).sum()) for mask in masks)

    def _files(self, path: Path) -> dict[str, bytes]:
        if path.is_dir():
            return {each.name: each.read_bytes() for each in path.iterdir()}
        if self.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                return {name: archive.read(name) for name in archive.namelist()}
        with tarfile.open(path) as tar:
            return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]

    @staticmethod
    def _mask(name: str, content: bytes) -> Any:
        if name.endswith(".png"):
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.mode == "L"
                return np.asarray(picture)
        return tifffile.imread(io.BytesIO(content))


def _rows(path: Path, header: list[str]) -> list[list[str]]:
    with path.open(newline="") as file:
        first, *rows = csv.reader(file)
    assert first == header
    return rows


def _covered(numbers: list[int], size: Size) -> set[int]:
    """The pixels, from 1, of starts and lengths."""
    pixels: list[int] = []
    assert numbers and len(numbers) % 2 == 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        assert start > (pixels[-1] if pixels else 0) and length > 0
        pixels += range(start, start + length)
    assert pixels[-1] <= size[0] * size[1]
    return set(pixels)


@dataclass(frozen=True)
class ForgeryRules:
    """A row an image: `authentic`, or JSON lists of runs with ; between, disjoint."""

    keys: list[str]
    size: Size

    def check(self, path: Path) -> int:
        rows = _rows(path, ["case_id", "annotation"])
        assert [key for key, _ in rows] == self.keys
        total = 0
        for _, cell in rows:
            if cell == "authentic":
                continue
            copies = [_covered(json.loads(part), self.size) for part in cell.split(";")]
            total += sum(map(len, copies))
            assert len(set.union(*copies)) == sum(map(len, copies))
        return total


@dataclass(frozen=True)
class ScoredRules:
    """A row an image with height and width: `0 score mask` of each object, or nothing."""

    keys: list[str]
    size: Size

    def check(self, path: Path) -> int:
        rows = _rows(path, ["id", "height", "width", "prediction_string"])
        assert [row[:3] for row in rows] == [[key, *map(str, self.size)] for key in self.keys]
        total = 0
        for *_, cell in rows:
            parts = cell.split(" ") if cell else []
            assert len(parts) % 3 == 0 and set(parts[::3]) <= {"0"}
            assert all(0 <= float(score) <= 1 for score in parts[1::3])
            for text in parts[2::3]:
                counts = zlib.decompress(base64.b64decode(text))
                mask = coco.decode({"size": list(self.size), "counts": counts})
                assert mask.any()
                total += int(mask.sum())
        return total


@dataclass(frozen=True)
class ClassColumnRules:
    """A row an image and class, the class in a column of its own; an empty cell means none."""

    keys: list[tuple[str, str]]
    size: Size

    def check(self, path: Path) -> int:
        rows = _rows(path, ["id", "class", "predicted"])
        assert [(key, name) for key, name, _ in rows] == self.keys
        cells = [cell for *_, cell in rows if cell]
        return sum(len(_covered(list(map(int, cell.split())), self.size)) for cell in cells)


@dataclass(frozen=True)
class ResultRules:
    """COCO's results: known images and categories, masks of the images' size, scores."""

    images: list[int]
    categories: set[int]
    size: Size
    once: bool = False
    """An image has a category once."""

    def check(self, path: Path) -> int:
        entries = json.loads(path.read_text())
        for each in entries:
            assert sorted(each) == ["category_id", "image_id", "score", "segmentation"]
            assert each["image_id"] in self.images and each["category_id"] in self.categories
            assert each["segmentation"]["size"] == list(self.size) and 0 <= each["score"] <= 1
        pairs = [(each["image_id"], each["category_id"]) for each in entries]
        assert not self.once or len(set(pairs)) == len(pairs)
        return sum(int(coco.decode(each["segmentation"]).sum()) for each in entries)
