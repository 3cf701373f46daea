"""The `data`, `folds` and `submission` blocks: the outside world, as the experiment sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Block

RleOrder = Literal["row", "column"]


class MaskTable(Block):
    """Masks that come as run lengths in a CSV; several rows of one image are united."""

    csv: Path
    id: str = "ImageId"
    rle: str = "EncodedPixels"
    order: RleOrder = "column"
    relative: bool = False
    key: str = "{id}"
    """How the id column names a sample: `{id}`, `{id}.jpg`, `{id}_{class}` …"""
    empty: tuple[str, ...] = ("", "-1", "-")
    instances: bool = False
    """Whether each row is one object."""
    size: tuple[int, int] | None = None
    """H, W at which the runs count, when it is not the image's own."""

    @field_validator("key")
    @classmethod
    def _names_the_id(cls, key: str) -> str:
        return _with_placeholder(key, "{id}")


class GroupTable(Block):
    """Groups from a CSV, matched by id."""

    csv: Path
    id: str = "id"
    group: str = "group"


class DataConfig(Block):
    """Where images and masks are and what a mask's values mean."""

    root: Path
    images: str
    masks: str | MaskTable
    test: str | None = None
    reference: str | None = None
    test_reference: str | None = None
    group: str | GroupTable | None = None
    classes: dict[str, int] = Field(min_length=1)
    exclusive: bool = False
    void: int | None = None
    drop: tuple[str, ...] = ()
    """Ids left out on purpose (corrupt files, leaks)."""

    @field_validator("classes", mode="before")
    @classmethod
    def _number_listed_classes(cls, classes: object) -> object:
        if not isinstance(classes, list | tuple):
            return classes
        if len(set(map(str, classes))) != len(classes):
            raise ValueError("a class is listed twice")
        return {str(name): value for value, name in enumerate(classes, start=1)}

    @field_validator("images", "test", "reference", "test_reference")
    @classmethod
    def _names_the_id(cls, pattern: str | None) -> str | None:
        return None if pattern is None else _with_placeholder(pattern, "{id}")

    @field_validator("masks")
    @classmethod
    def _masks_name_the_id(cls, masks: str | MaskTable) -> str | MaskTable:
        return _with_placeholder(masks, "{id}") if isinstance(masks, str) else masks

    @field_validator("group")
    @classmethod
    def _captures(cls, group: str | GroupTable | None) -> str | GroupTable | None:
        if isinstance(group, str) and _compiled(group).groups < 1:
            raise ValueError(
                "the regex needs a group in parentheses: what it captures is the group"
            )
        return group

    @model_validator(mode="after")
    def _values_are_distinct(self) -> Self:
        values = list(self.classes.values())
        if len(set(values)) != len(values):
            raise ValueError("two classes share a pixel value")
        if self.void is not None and self.void in values:
            raise ValueError(f"void: {self.void} is also the value of a class")
        if self.exclusive and len(values) < 2:
            raise ValueError("exclusive: true needs two classes or more")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.classes)


class FoldsConfig(Block):
    """How training images are split."""

    count: int = Field(5, ge=2, le=100)
    stratify: Literal["coverage", "none"] = "coverage"
    seed: int = Field(2017, ge=0, lt=2**32)
    use: tuple[int, ...] | None = None
    """The folds to train and score; null: all of them."""


class SubmissionConfig(Block):
    """What the competition wants to be sent."""

    sample: Path | None = None
    columns: tuple[str, str] = ("id", "rle_mask")
    key: str = "{id}"
    rows: Literal["image", "class", "instance"] = "image"
    order: RleOrder = "column"
    relative: bool = False
    empty: str = ""
    size: tuple[int, int] | None = None
    """H, W at which masks are encoded, when it is not the image's own."""
    format: Literal["rle", "png"] = "rle"

    @model_validator(mode="after")
    def _key_fits_rows(self) -> Self:
        _with_placeholder(self.key, "{id}")
        if (self.rows == "class") != ("{class}" in self.key):
            raise ValueError("rows: class goes with a key that has both {id} and {class} in it")
        return self


def _with_placeholder(pattern: str, placeholder: str) -> str:
    if placeholder not in pattern:
        raise ValueError(f"needs {placeholder} in it, the part that names a sample")
    return pattern


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
