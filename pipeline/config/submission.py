"""The `submission` block: the format that the competition asks for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.base import check_names
from pipeline.config.choices import CellEncoding, MaskDtype, Pack, PixelLayout, RleOrder
from pipeline.config.limits import ImageSize, PixelValue
from pipeline.config.patterns import FilePath, breaks_lines
from pipeline.config.submission_problems import submission_problems, written_name
from pipeline.config.tables import CopiedTable, RowKeys, refuse_twice

MASK = "{mask}"
SCORE = "{score}"
CLASS = "{class}"


class SubmissionConfig(RowKeys):
    """The format of the submission, see
    [Submission formats](competitions.md#submission-formats)."""

    format: str = "rle"
    """Format of the file. rle: a table of run lengths; masks: mask files in a folder, zip or tar;
    npz, npy: arrays; pixels: a table of the label of each pixel; coco: JSON of COCO's results;
    geojson: polygons."""
    sample: FilePath | None = None
    """The competition's sample submission, below `data.root`: its header, delimiter, ids and their
    order are used. With masks: a folder, zip or tar, whose names are compared; with coco: the JSON
    that lists the test images with their ids."""
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
    encoding: CellEncoding = "runs"
    """How a mask is written in its cell. runs: numbers between spaces; json: a list of the same
    numbers; coco: COCO's compressed counts; coco_zlib: these through zlib and base64."""
    cell: str = MASK
    """Form of a mask in its cell: `{mask}`, with `{score}` (mean probability of its pixels, 0..1)
    and `{class}` (its number in `values`) where they are asked for, as in `0 {score} {mask}`."""
    join: str | None = None
    """With `rows: instance`, the text between the objects of an image, which share one row; null:
    each object has its own row."""
    score: str | None = None
    """Column of scores: the mean probability of the pixels of the mask of each row."""
    constant: dict[str, str] = Field({}, max_length=64)
    """More columns with the same text in each row: `{column: text}`. `{id}`, `{class}`, `{height}`
    and `{width}` in it are those of the row."""
    copied: tuple[str, ...] = Field((), max_length=64)
    """More columns, whose cells are copied from the row of the sample file, or of `copied_from`."""
    copied_from: CopiedTable | None = None
    """Table with the columns of `copied`; null: the sample file."""
    values: dict[str, PixelValue] | None = None
    """Number of each class in masks, in `{class}` and as COCO's category; null: as in
    `data.classes`. Pixels of no class are 0."""
    dtype: MaskDtype = "uint8"
    """Number type of masks and arrays."""
    file: str = Field("{id}.png", max_length=400)
    """With masks, the name of a file: `.png`, `.tif` or `.npy`. `{id}` is the image (the volume,
    with `data.volume`); with `{class}` in it, each class has a file."""
    pack: Pack = "zip"
    """With masks, what holds the files."""
    layout: PixelLayout = "wide"
    """With pixels. wide: a row an image and a column a pixel; list: a row an image and one cell
    with all its labels; long: a row a pixel, whose `key` may hold `{row}`, `{column}` (from 0) and
    `{pixel}` (from 1)."""

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str, info: ValidationInfo) -> str:
        check_names("submission format", [name], info)
        return name

    @field_validator("file")
    @classmethod
    def _can_be_written(cls, name: str) -> str:
        return written_name(name)

    @model_validator(mode="after")
    def _key_fits_rows(self) -> Self:
        refuse_twice([*self.columns, self.class_, self.score, *self.constant, *self.copied])
        texts = (*self.columns, self.class_, self.empty, self.score, self.cell, self.join)
        for text in (*texts, *self.constant, *self.constant.values()):
            if text and breaks_lines(text):
                raise ValueError(f"{text!r} contains a line break or a control character")
        if problems := [*submission_problems(self)]:
            raise ValueError("; ".join(problems))
        return self

    @property
    def is_scored(self) -> bool:
        """True if the score of each mask is asked for."""
        return self.score is not None or SCORE in self.cell or self.format in ("coco", "geojson")

    @property
    def more_columns(self) -> tuple[str, ...]:
        """Those besides id and mask: of class, score, constants and copied cells."""
        named = (self.class_, self.score, *self.constant, *self.copied)
        return tuple(each for each in named if each)
