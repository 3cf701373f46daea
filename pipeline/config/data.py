"""The `data` block: images, masks, groups and references."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.config.annotations import AnnotationFiles
from pipeline.config.bands import COLOURS, BandName, of_neighbour
from pipeline.config.base import Block
from pipeline.config.colours import Colour
from pipeline.config.data_problems import band_problems, class_problems, mask_problems
from pipeline.config.frame import FrameConfig
from pipeline.config.limits import PixelValue
from pipeline.config.mask_source import MaskSource
from pipeline.config.patterns import (
    FilePath,
    ImagePattern,
    compiled,
    file_pattern,
    image_pattern,
)
from pipeline.config.stack import StackConfig
from pipeline.config.tables import GroupTable
from pipeline.config.volume import VolumeConfig


def _one_line(name: str) -> str:
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError("a class name needs visible characters, and no spaces at its ends")
    return name


ClassName = Annotated[str, Field(max_length=100), AfterValidator(_one_line)]
"""It stands in tables, in reports and in the names of rows."""


class DataConfig(Block):
    """Images, masks and the meaning of mask values."""

    root: FilePath
    """Folder that all patterns are below. `DATA=` on the command line replaces it."""
    images: ImagePattern
    """Pattern of the training images, such as `train/{id}.jpg`. `{id}` is the id of a sample, `*`
    matches anything within a name. Or a list of patterns, such as `[rgb/{id}.png, nir/{id}.tif]`:
    the bands of these files, one file after the other."""
    masks: MaskSource
    """Pattern of the masks: `masks/{id}.png` (one file an image), `masks/{id}/*.png` (one file an
    object) or `masks/{class}/{id}.png` (one file a class); or a block: a table of run lengths
    (`csv`), files of an annotation tool (`annotations`), or files that number objects
    (`label_map`)."""
    without_mask: Literal["error", "drop", "empty"] = "error"
    """Training images that no mask file, row or list of annotations is about. drop: they are left
    out, and their number is told; empty: nothing is on them (for masks in files of their own)."""
    test: ImagePattern | None = None
    """Pattern of the test images, or a list as that of `images`; null: cross-validation only."""
    bands: tuple[BandName, ...] | None = Field(None, min_length=1, max_length=256)
    """Names of the channels of an image, in the order of its file or files; with `{band}` in the
    pattern of the images, those of its files. null: 8-bit RGB. With it any type of number is read
    as it is."""
    derive: dict[BandName, Annotated[str, Field(max_length=500)]] = Field({}, max_length=64)
    """More bands, computed: `{ndvi: (nir - red) / (nir + red)}`. Division by zero is no data."""
    no_data: float | None = None
    """Value of pixels without data, besides the one that a file names itself and NaN."""
    array: Annotated[str, Field(max_length=200)] | None = None
    """Name of the array in an npz or zarr file that holds several."""
    axes: Annotated[str, Field(pattern="^[ZYXC_]{2,8}$")] | None = None
    """Meaning of the sides of an array, a letter each, where its file does not say it: `CYX` are
    bands before rows and columns; `_` is a side of length one that means nothing."""
    show: tuple[BandName, ...] | None = None
    """The band, or the three, that people are shown in reports; null: red, green and blue where
    there are such names, else the first ones."""
    reference: ImagePattern | None = None
    """Pattern of the references of the training images: the same thing without the defect."""
    test_reference: ImagePattern | None = None
    """Pattern of the references of the test images."""
    group: str | GroupTable | None = None
    """Groups that stay in one fold: a regular expression whose first parenthesis captures
    the group from the id, or a table; null: every image is a group."""
    classes: dict[ClassName, PixelValue | Colour] = Field(min_length=1, max_length=1000)
    """A list of names for the pixel values 1, 2, …, or `{name: value}`. One class of value 1 covers
    every non-zero pixel (masks of 0/1 or 0/255). `{name: '#4080c0'}` or `{name: [64, 128, 192]}`:
    masks are painted in colours."""
    multiclass: bool = False
    """false: one sigmoid map a class, and classes may overlap; true: softmax over the listed
    classes, exactly one a pixel."""
    stack: StackConfig | None = None
    """Images that are slices of a volume or frames of a film, to show networks their neighbours;
    needs bands."""
    volume: VolumeConfig | None = None
    """Image files that are volumes, of which each slice is an image; `{}` for its defaults. Masks
    are volumes too, or tables; needs bands."""
    void: PixelValue | Colour | None = None
    """Pixel value (or colour, where classes have colours) that no loss, metric or search counts."""
    others: Literal["error", "background", "void"] = "error"
    """Pixel values and colours of masks that no class has. background: they are in no class; void:
    no loss, metric or search counts them."""
    ignore: str | None = None
    """Pattern of files of the training images, such as `ignore/{id}.png`: no loss, metric or search
    counts what is not black there. An image without such a file counts wholly."""
    soft: bool = False
    """true: gray levels of masks are probabilities (0..255, or floats 0..1 in an npy); the files of
    a pattern with `*` are one an annotator, and averaged."""
    drop: tuple[str, ...] = ()
    """Ids of training images to leave out (corrupt files, leaks)."""
    frame: FrameConfig = FrameConfig()
    """Moves images and references to their masks."""
    exif: Literal["apply", "ignore"] | None = None
    """Images with an EXIF orientation. apply: read, train and submit them as viewers show them;
    ignore: as their pixels are stored; null: apply, but with run lengths and annotations only where
    the masks prove it."""

    @field_validator("classes", mode="before")
    @classmethod
    def _number_listed_classes(cls, classes: object) -> object:
        if not isinstance(classes, list | tuple):
            return classes
        if any(isinstance(name, bool) or not isinstance(name, str | int) for name in classes):
            raise ValueError("class names must be strings; quote them")
        if len(set(map(str, classes))) != len(classes):
            raise ValueError("a class is listed twice")
        return {str(name): value for value, name in enumerate(classes, start=1)}

    @field_validator("images", "test", "reference", "test_reference")
    @classmethod
    def _finds_files(cls, pattern: ImagePattern | None) -> ImagePattern | None:
        return None if pattern is None else image_pattern(pattern)

    @field_validator("ignore")
    @classmethod
    def _finds_ignored(cls, pattern: str | None) -> str | None:
        return None if pattern is None else file_pattern(pattern, ("{id}",))

    @field_validator("masks")
    @classmethod
    def _finds_masks(cls, masks: MaskSource) -> MaskSource:
        return file_pattern(masks, ("{id}", "{class}")) if isinstance(masks, str) else masks

    @field_validator("group")
    @classmethod
    def _captures(cls, group: str | GroupTable | None) -> str | GroupTable | None:
        if isinstance(group, str) and compiled(group).groups < 1:
            raise ValueError(
                "the regex needs a capturing group in parentheses, which captures the group"
            )
        return group

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := [*class_problems(self), *mask_problems(self), *band_problems(self)]:
            raise ValueError("; ".join(problems))
        return self

    @property
    def band_names(self) -> tuple[str, ...]:
        """Of an image as it is read: its own, or those of each neighbour in turn."""
        if self.stack is None:
            return self.own_bands
        offsets = self.stack.neighbours
        return tuple(of_neighbour(name, offset) for offset in offsets for name in self.own_bands)

    @property
    def own_bands(self) -> tuple[str, ...]:
        """Those of the image itself: of its file, then the derived ones."""
        return COLOURS if self.bands is None else (*self.bands, *self.derive)

    @property
    def band_settings(self) -> tuple[object, ...]:
        """All that decides, besides the files, which numbers are read; nothing for 8-bit RGB."""
        if self.bands is None:
            return ()
        settings = self.bands, self.derive, self.no_data, self.array, self.axes, self.stack
        return settings if self.volume is None else (*settings, self.volume)

    @property
    def order(self) -> tuple[str, str] | None:
        """Regular expressions that capture, from an id, its stack and its position in it."""
        if self.volume is not None:
            return self.volume.patterns
        if self.stack is None or self.stack.of is None or self.stack.position is None:
            return None
        return self.stack.of, self.stack.position

    def by_file(self, pattern: ImagePattern) -> dict[str | None, str]:
        """The pattern of each file of an image, by its band, or its place in the list from 1; under
        None where an image has one file.
        """
        if not isinstance(pattern, str):
            return {str(place): each for place, each in enumerate(pattern, start=1)}
        if self.bands is None or "{band}" not in pattern:
            return {None: pattern}
        return {band: pattern.replace("{band}", band) for band in self.bands}

    def of_first_file(self, pattern: ImagePattern) -> str:
        """The pattern of the file that stands for an image, where it has several."""
        return next(iter(self.by_file(pattern).values()))

    @property
    def masks_by_class(self) -> bool:
        """True if every class has masks of its own: files or rows."""
        return "{class}" in self.masks if isinstance(self.masks, str) else self.masks.by_class

    @property
    def has_objects(self) -> bool:
        """True if masks tell one object from another: a file or a row for each."""
        if not isinstance(self.masks, str):
            return self.masks.instances
        alone = len(self.classes) == 1 and not self.soft
        return alone and "*" in self.masks and not self.masks_by_class

    @property
    def has_values(self) -> bool:
        """True if an image has one file of pixel values, of which each stands for a class."""
        return isinstance(self.masks, str) and not (
            self.masks_by_class or self.has_objects or self.soft
        )

    @property
    def has_colours(self) -> bool:
        """True if classes are colours of masks."""
        return any(isinstance(each, str) for each in self.classes.values())

    @property
    def class_values(self) -> dict[str, int]:
        """The number of each class: its pixel value; its place, from 1, where it is a colour."""
        numbers = enumerate(self.classes.items(), start=1)
        return {
            name: place if isinstance(value, str) else value for place, (name, value) in numbers
        }

    @property
    def has_void(self) -> bool:
        """True if pixels may count nowhere."""
        if self.void is not None or self.others == "void" or self.ignore:
            return True
        return isinstance(self.masks, AnnotationFiles)

    @property
    def turns(self) -> bool:
        """True if images are turned as EXIF says."""
        return self.exif != "ignore"

    @property
    def any_value(self) -> bool:
        """True if all that is not zero is inside: one class, and no value of its own for it."""
        return tuple(self.classes.values()) == (1,)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.classes)
