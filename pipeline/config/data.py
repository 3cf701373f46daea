"""The `data`, `folds` and `submission` blocks: the outside world, as the experiment sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.config.base import Block
from pipeline.config.choices import RleOrder
from pipeline.config.limits import PixelValue, Shift, Size
from pipeline.config.patterns import (
    FilePath,
    breaks_lines,
    compiled,
    file_pattern,
    with_placeholder,
)


def _one_line(name: str) -> str:
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError("a class needs a name of visible letters, without blanks at its ends")
    return name


ClassName = Annotated[str, Field(max_length=100), AfterValidator(_one_line)]
"""It stands in tables, in reports and in the names of rows."""


def refuse_twice(columns: list[str | None]) -> None:
    """Raise ValueError for two things that are to stand in one column of a table."""
    names = [name for name in columns if name is not None]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the column {name!r} is named for two things")


class RowKeys(Block):
    """How the rows of a table of run lengths name what they are about."""

    key: str = "{id}"
    """What the id column calls a sample: `{id}`, `{id}.jpg`, `{id}_{class}` …"""
    class_: str | None = Field(None, alias="class")
    """The column that names the class, where it has one of its own."""

    @field_validator("key")
    @classmethod
    def _names_the_id(cls, key: str) -> str:
        if breaks_lines(key):
            raise ValueError("holds a line break or a control character")
        return with_placeholder(key, "{id}")

    @model_validator(mode="after")
    def _names_the_class_once(self) -> Self:
        if self.class_ is not None and "{class}" in self.key:
            raise ValueError(f"both key: {self.key!r} and class: {self.class_!r} name the class")
        return self

    @property
    def by_class(self) -> bool:
        """Whether every class has rows of its own."""
        return self.class_ is not None or "{class}" in self.key


class MaskTable(RowKeys):
    """Masks that come as run lengths in a CSV; several rows of one image are united."""

    csv: FilePath
    id: str = "ImageId"
    rle: str = "EncodedPixels"
    order: RleOrder = "column"
    relative: bool = False
    empty: tuple[str, ...] = ("", "-1", "-")
    instances: bool = False
    """Whether each row is one object."""
    size: Size | None = None
    """H, W at which the runs count, when it is not the image's own."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        refuse_twice([self.id, self.rle, self.class_])
        return self


class GroupTable(Block):
    """Groups from a CSV, matched by id."""

    csv: FilePath
    id: str = "id"
    group: str = "group"

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        refuse_twice([self.id, self.group])
        return self


class FrameConfig(Block):
    """Image and reference, moved to where the masks are: what networks see, always.

    For masks that are off in a way that `borders` has measured: a scale above all, because a shift
    that is the same everywhere a network learns by itself.
    """

    scale: float = Field(1, ge=0.5, le=2)
    """About the image's middle."""
    shift: tuple[Shift, Shift] = (0, 0)
    """Pixels to the right and down."""
    pad: int = Field(0, ge=0, le=1024)
    """Pixels of mirror image (reflect-101) around it, which predictions leave out again."""


class DataConfig(Block):
    """Where images and masks are and what a mask's values mean."""

    root: FilePath
    images: str
    masks: str | MaskTable
    test: str | None = None
    reference: str | None = None
    test_reference: str | None = None
    group: str | GroupTable | None = None
    classes: dict[ClassName, PixelValue] = Field(min_length=1, max_length=1000)
    """Name → pixel value. One class of value 1 is whatever is not zero (masks of 0/1 or 0/255)."""
    multiclass: bool = False
    void: PixelValue | None = None
    drop: tuple[str, ...] = ()
    """Training ids left out on purpose (corrupt files, leaks)."""
    frame: FrameConfig = FrameConfig()
    exif: Literal["apply", "ignore"] | None = None
    """Whose coordinates count for pictures that EXIF turns: those of the picture as viewers show it
    (apply), or of its stored pixels. Null: as viewers show it, and with a table of run lengths only
    where the masks prove it."""

    @field_validator("classes", mode="before")
    @classmethod
    def _number_listed_classes(cls, classes: object) -> object:
        if not isinstance(classes, list | tuple):
            return classes
        if any(isinstance(name, bool) or not isinstance(name, str | int) for name in classes):
            raise ValueError("a class is no text; put the names in quotes")
        if len(set(map(str, classes))) != len(classes):
            raise ValueError("a class is listed twice")
        return {str(name): value for value, name in enumerate(classes, start=1)}

    @field_validator("images", "test", "reference", "test_reference")
    @classmethod
    def _finds_files(cls, pattern: str | None) -> str | None:
        return None if pattern is None else file_pattern(pattern, ("{id}",))

    @field_validator("masks")
    @classmethod
    def _finds_masks(cls, masks: str | MaskTable) -> str | MaskTable:
        return file_pattern(masks, ("{id}", "{class}")) if isinstance(masks, str) else masks

    @field_validator("group")
    @classmethod
    def _captures(cls, group: str | GroupTable | None) -> str | GroupTable | None:
        if isinstance(group, str) and compiled(group).groups < 1:
            raise ValueError(
                "the regex needs a group in parentheses: what it captures is the group"
            )
        return group

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := [*self._class_problems(), *self._mask_problems()]:
            raise ValueError("; ".join(problems))
        return self

    def _class_problems(self) -> Iterator[str]:
        values = list(self.classes.values())
        if len(set(values)) != len(values):
            yield "two classes share a pixel value"
        if self.void is not None and self.void in values:
            yield f"void: {self.void} is also the value of a class"
        if self.multiclass and len(values) < 2:
            yield "multiclass: true needs two classes or more"

    def _mask_problems(self) -> Iterator[str]:
        masks = self.masks
        by_class = "{class}" in masks if isinstance(masks, str) else masks.by_class
        table, several = isinstance(self.masks, MaskTable), len(self.classes) > 1
        if table and several and not by_class:
            yield (
                "masks: the rows of several classes are told apart by {class} in masks.key, or by "
                "a column of the table: masks.class"
            )
        if isinstance(self.masks, MaskTable) and several and self.masks.instances:
            yield "masks.instances: true takes one class"
        by_object = isinstance(self.masks, str) and "*" in self.masks and not several
        if (self.multiclass or self.void is not None) and (table or by_class or by_object):
            key = "multiclass: true" if self.multiclass else f"void: {self.void}"
            yield f"{key} goes with masks that are one file of pixel values an image"

    @property
    def has_objects(self) -> bool:
        """Whether masks tell one object from another: a file or a row for each."""
        if isinstance(self.masks, MaskTable):
            return self.masks.instances
        return len(self.classes) == 1 and "*" in self.masks and "{class}" not in self.masks

    @property
    def turns(self) -> bool:
        """Whether pictures are turned as EXIF says."""
        return self.exif != "ignore"

    @property
    def any_value(self) -> bool:
        """Whether all that is not zero is inside: one class, and no value of its own for it."""
        return tuple(self.classes.values()) == (1,)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.classes)


class FoldsConfig(Block):
    """How training images are split."""

    count: int = Field(5, ge=2, le=100)
    stratify: Literal["coverage", "none"] = "coverage"
    seed: int = Field(2017, ge=0, lt=2**32)
    use: tuple[Annotated[int, Field(ge=0, lt=100)], ...] | None = Field(None, max_length=100)
    """The folds to train and score; null: all of them."""

    @model_validator(mode="after")
    def _uses_what_there_is(self) -> Self:
        strange = sorted(set(self.use or ()) - set(range(self.count)))
        if self.use == () or strange:
            raise ValueError(f"use: {list(self.use or ())}: folds are 0 to {self.count - 1}")
        return self


class SubmissionConfig(RowKeys):
    """What the competition wants to be sent."""

    sample: FilePath | None = None
    columns: tuple[str, str] = ("id", "rle_mask")
    rows: Literal["image", "class", "instance"] = "image"
    order: RleOrder = "column"
    relative: bool = False
    empty: str = ""
    size: Size | None = None
    """H, W at which masks are encoded, when it is not the image's own."""

    @model_validator(mode="after")
    def _key_fits_rows(self) -> Self:
        refuse_twice([*self.columns, self.class_])
        for text in (*self.columns, self.class_ or "", self.empty):
            if breaks_lines(text):
                raise ValueError(f"{text!r} holds a line break or a control character")
        if (self.rows == "class") != self.by_class:
            raise ValueError(
                "rows: class goes with a key of both, such as key: '{id}_{class}', or with a "
                "column of its own, such as class: ClassId"
            )
        return self
