"""COCO's results: a JSON list with image, category, run lengths and score of each shape.

The format of https://cocodataset.org/#format-results for masks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.submission.cells import ENCODINGS, shown_score
from pipeline.submission.format import SubmissionFormat
from pipeline.submission.json_rows import Entry
from pipeline.submission.numbers import class_numbers
from pipeline.submission.planes import Shape
from pipeline.submission.shape_list import ImageKey, ShapeList


class CocoResults:
    """Shapes as COCO's results; with `rows: instance` an entry an object, else one a class. A class
    with the number 0 is the background, and has none.
    """

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".json"

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]
    ) -> SubmissionFormat:
        if settings.sample is None:
            digits = all(each.isascii() and each.isdigit() for each in ids)
            keys: dict[str, ImageKey] = {each: int(each) if digits else each for each in ids}
        else:
            keys = _keys_in(data.root / settings.sample, ids)
        if len(set(keys.values())) < len(keys):
            raise DataError("submission: two test images have the same number, such as 7 and 007")
        numbers = class_numbers(settings, data)
        background = {plane for plane, number in enumerate(numbers) if not number}
        return ShapeList(settings, CocoNotation(numbers), keys, len(numbers), background)


@dataclass(frozen=True)
class CocoNotation:
    """See `Notation`. numbers: the category of each class."""

    numbers: tuple[int, ...]

    before: ClassVar[str] = "["
    after: ClassVar[str] = "]"

    def entry(self, image: ImageKey, shape: Shape, size: Size) -> Entry:
        counts = ENCODINGS["coco"].write(shape.runs, size, False)
        return {
            "image_id": image,
            "category_id": self.numbers[shape.plane],
            "segmentation": {"size": list(size), "counts": counts},
            "score": float(shown_score(shape.score)),
        }

    def image(self, entry: Entry) -> ImageKey:
        key: ImageKey = entry["image_id"]
        return key

    def shape(self, entry: Entry, size: Size) -> Shape:
        segmentation = entry["segmentation"]
        if segmentation["size"] != list(size):
            raise DataError(f"{entry['image_id']}: its size is {segmentation['size']}")
        runs = ENCODINGS["coco"].read(segmentation["counts"], size, False)
        return Shape(runs, self.numbers.index(entry["category_id"]), float(entry["score"]))


def _keys_in(path: Path, ids: Sequence[str]) -> dict[str, ImageKey]:
    """The ids that a COCO file gives the test images, found by their names without ending."""
    try:
        images: list[dict[str, Any]] = json.loads(path.read_bytes())["images"]
        found = [(as_matched(PurePosixPath(each["file_name"]).stem), each["id"]) for each in images]
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no COCO file with a list of images: {error!r}") from None
    if wrong := [each for name, each in found if type(each) not in (int, str)]:
        raise DataError(f"{path} has the id {wrong[0]!r}, which is neither a number nor a text")
    known: dict[str, ImageKey] = dict(found)
    if twice := [name for name, each in found if known[name] != each]:
        raise DataError(f"{path} has several images called {twice[0]!r} with different ids")
    if missing := [each for each in ids if as_matched(each) not in known]:
        raise DataError(f"{path} does not list {listed(missing)}; is it of these test images?")
    if len(known) > len(ids):
        wanted = set(map(as_matched, ids))
        strange = [each for each in known if each not in wanted]
        raise DataError(f"{path} asks for {listed(strange)}, for which there is no test image")
    return {each: known[as_matched(each)] for each in ids}
