"""Masks whose numbers, pages or planes are objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import field_validator

from pipeline.config.base import Block
from pipeline.config.patterns import file_pattern


class LabelMapFiles(Block):
    """Masks of one file an image that number the objects of the one class: 0 none, others each an
    object."""

    label_map: str
    """Pattern of the files, such as `labels/{id}.tif`: TIFF, PNG, npy or npz."""
    stack: Literal["objects"] | None = None
    """Files of several pages, or arrays N×H×W. objects: each page is an object, wherever it is not
    0; null: they are refused."""
    array: str | None = None
    """Name of the array in an npz; null: it holds one."""

    by_class: ClassVar[bool] = False
    instances: ClassVar[bool] = True

    @field_validator("label_map")
    @classmethod
    def _finds_files(cls, pattern: str) -> str:
        return file_pattern(pattern, ("{id}",))

    def problems(self, classes: int) -> Iterator[str]:
        """Settings that do not fit this number of classes."""
        if classes > 1:
            yield "masks.label_map: its numbers are objects, so it allows one class only"
