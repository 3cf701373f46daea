"""Tables beside the data: the meaning of their columns and rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Block
from pipeline.config.choices import RleOrder
from pipeline.config.limits import ImageSize
from pipeline.config.patterns import FilePath, breaks_lines, with_placeholder


def refuse_twice(columns: list[str | None]) -> None:
    """Raise ValueError for two things that are to stand in one column of a table."""
    names = [name for name in columns if name is not None]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the column {name!r} is used for two things")


class RowKeys(Block):
    """How the rows of a table of run lengths name their sample and class."""

    key: str = "{id}"
    """Form of the keys in the id column: `{id}`, `{id}.jpg`, `{id}_{class}` …"""
    class_: str | None = Field(None, alias="class")
    """Column that names the class, where the class has a column of its own."""

    @field_validator("key")
    @classmethod
    def _names_the_id(cls, key: str) -> str:
        if breaks_lines(key):
            raise ValueError("contains a line break or a control character")
        return with_placeholder(key, "{id}")

    @model_validator(mode="after")
    def _names_the_class_once(self) -> Self:
        if self.class_ is not None and "{class}" in self.key:
            raise ValueError(f"both key: {self.key!r} and class: {self.class_!r} name the class")
        return self

    @property
    def by_class(self) -> bool:
        """True if every class has rows of its own."""
        return self.class_ is not None or "{class}" in self.key


class MaskTable(RowKeys):
    """Masks that come as run lengths in a CSV; several rows of one image are united."""

    csv: FilePath
    """The file, below `data.root`."""
    id: str = "ImageId"
    """Column of the ids."""
    rle: str = "EncodedPixels"
    """Column of the run lengths."""
    order: RleOrder = "column"
    """row: pixels are counted along rows (C order); column: down columns (Fortran order)."""
    relative: bool = False
    """true: each start is counted from the end of the previous run."""
    empty: tuple[str, ...] = ("", "-1", "-")
    """Cells that mean an empty mask."""
    instances: bool = False
    """true: each row is one object."""
    size: ImageSize | None = None
    """[H, W] of the masks in the table, when it is not the size of the image."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        refuse_twice([self.id, self.rle, self.class_])
        return self

    def problems(self, classes: int) -> Iterator[str]:
        """Settings that do not fit this number of classes."""
        if classes > 1 and not self.by_class:
            yield (
                "masks: with several classes, name the class of a row by {class} in masks.key, or "
                "by a column of the table: masks.class"
            )
        if classes > 1 and self.instances:
            yield "masks.instances: true allows one class only"


class GroupTable(Block):
    """Groups from a CSV, matched by id."""

    csv: FilePath
    """The file, below `data.root`."""
    id: str = "id"
    """Column of the ids."""
    group: str = "group"
    """Column of the groups."""
    key: str = "{id}"
    """Form of the keys in the id column: `{id}`, `{id}.tiff` …"""

    @field_validator("key")
    @classmethod
    def _names_the_id(cls, key: str) -> str:
        return with_placeholder(key, "{id}")

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        refuse_twice([self.id, self.group])
        return self


class CopiedTable(Block):
    """A table about the test images, from which columns of the submission are copied."""

    csv: FilePath
    """The file, below `data.root`."""
    id: str = "id"
    """Column of the ids."""
    key: str = "{id}"
    """Form of the keys in the id column: `{id}`, `{id}.jpg` …"""

    @field_validator("key")
    @classmethod
    def _names_the_id(cls, key: str) -> str:
        return with_placeholder(key, "{id}")
