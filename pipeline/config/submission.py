"""The `submission` block: the format that the competition asks for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator

from pipeline.config.base import check_names
from pipeline.config.choices import RleOrder
from pipeline.config.limits import ImageSize
from pipeline.config.patterns import FilePath, breaks_lines
from pipeline.config.tables import RowKeys, refuse_twice


class SubmissionConfig(RowKeys):
    """The format of the submission."""

    format: str = "rle"
    """Format of the file: rle, a CSV of run lengths. The keys below describe its rows."""
    sample: FilePath | None = None
    """The competition's sample submission, below `data.root`: its header, delimiter, ids and their
    order are used."""
    columns: tuple[str, str] = ("id", "rle_mask")
    """Names of the id column and of the mask column."""
    rows: Literal["image", "class", "instance"] = "image"
    """image: one row an image; class: one row an image and class; instance: one row an object."""
    order: RleOrder = "column"
    """row: pixels are counted along rows (C order); column: down columns (Fortran order)."""
    relative: bool = False
    """true: each start is counted from the end of the previous run."""
    empty: str = ""
    """Cell of an empty mask."""
    size: ImageSize | None = None
    """[H, W] at which masks are encoded, when it is not the size of the image."""

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str, info: ValidationInfo) -> str:
        check_names("submission format", [name], info)
        return name

    @model_validator(mode="after")
    def _key_fits_rows(self) -> Self:
        refuse_twice([*self.columns, self.class_])
        for text in (*self.columns, self.class_ or "", self.empty):
            if breaks_lines(text):
                raise ValueError(f"{text!r} contains a line break or a control character")
        if (self.rows == "class") != self.by_class:
            raise ValueError(
                "rows: class needs the class in the key, such as key: '{id}_{class}', or in a "
                "column of its own, such as class: ClassId"
            )
        return self
