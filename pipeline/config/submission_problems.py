"""Keys of the `submission` block that do not fit each other."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline.config.patterns import path_in_bounds, with_placeholder

if TYPE_CHECKING:
    from pipeline.config.data import DataConfig
    from pipeline.config.submission import SubmissionConfig

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
LARGEST = {"uint8": 255, "uint16": 65_535, "int32": 2**31 - 1, "float32": 2**24}
"""Numbers up to which each type is exact."""
_ARRAYS = ("masks", "npz", "npy")
_OWN_KEYS = {
    "encoding": ("rle",),
    "cell": ("rle",),
    "join": ("rle",),
    "score": ("rle",),
    "constant": ("rle",),
    "copied": ("rle",),
    "copied_from": ("rle",),
    "relative": ("rle",),
    "empty": ("rle",),
    "file": ("masks",),
    "pack": ("masks",),
    "dtype": _ARRAYS,
    "layout": ("pixels",),
    "values": (*_ARRAYS, "pixels", "coco", "rle"),
}
"""Keys of some of the formats alone; a format that is not of Maskmill may use any."""
_FORMATS = ("rle", *_ARRAYS, "pixels", "coco", "geojson")
_FORMATS_OF_ROWS = {"class": ("rle", "npz"), "instance": ("rle", "coco", "geojson")}
_LETTERS = {
    "runs": string.digits + " ",
    "json": string.digits + "[], ",
    "coco": "".join(map(chr, range(48, 112))),
    "coco_zlib": string.ascii_letters + string.digits + "+/=",
}


def written_name(name: str) -> str:
    """`name` if files may be called so in a folder or an archive; ValueError says why not."""
    with_placeholder(name, "{id}")
    if strange := [
        each for each in re.findall(r"\{[^/}]*\}", name) if each not in ("{id}", "{class}")
    ]:
        raise ValueError(f"unknown placeholder {strange[0]}; known: {{id}}, {{class}}")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError("must be a name below the folder or archive, with / between its parts")
    if path.as_posix() != name:
        raise ValueError(f"write it as {path}")
    if path.suffix.lower() not in MASK_SUFFIXES:
        raise ValueError(f"must end in {', '.join(MASK_SUFFIXES)}")
    path_in_bounds(path)  # type: ignore[arg-type]
    return name


def submission_problems(settings: SubmissionConfig) -> Iterator[str]:
    """One line each."""
    if (settings.rows == "class") != settings.by_class:
        yield (
            "rows: class needs the class in the key, such as key: '{id}_{class}', or in a "
            "column of its own, such as class: ClassId"
        )
    yield from _foreign_keys(settings)
    formats = _FORMATS_OF_ROWS.get(settings.rows, _FORMATS)
    if settings.format in _FORMATS and settings.format not in formats:
        known = " or ".join(formats)
        yield f"rows: {settings.rows} is of format: {known}, not of {settings.format}"
    if settings.format == "rle":
        yield from _cell_problems(settings)
    yield from _value_problems(settings)
    if settings.copied and settings.sample is None and settings.copied_from is None:
        yield "copied needs a table with these columns: sample, or copied_from: {csv: …}"
    if settings.copied_from is not None and not settings.copied:
        yield "copied_from: name the columns to take from it in copied: [...]"


def _foreign_keys(settings: SubmissionConfig) -> Iterator[str]:
    if settings.format not in _FORMATS:
        return
    for key, formats in _OWN_KEYS.items():
        default = type(settings).model_fields[key].get_default(call_default_factory=True)
        if getattr(settings, key) != default and settings.format not in formats:
            yield f"{key} is of format: {' or '.join(formats)}, not of {settings.format}"


def _cell_problems(settings: SubmissionConfig) -> Iterator[str]:
    if settings.cell.count("{mask}") != 1:
        yield f"cell: {settings.cell!r} must contain {{mask}} once"
    known = re.sub(r"\{(mask|score|class)\}", "", settings.cell)
    if strange := re.search(r"\{[^}]*\}", known):
        yield f"cell: unknown placeholder {strange[0]}; known: {{mask}}, {{score}}, {{class}}"
    if settings.join is not None and settings.rows != "instance":
        yield "join is between objects, and needs rows: instance"
    if settings.join is not None and not set(settings.join) - set(_LETTERS[settings.encoding]):
        yield (
            f"join: {settings.join!r} may also stand within a mask of encoding: "
            f"{settings.encoding}, so that nobody could tell where an object ends"
        )
    if settings.encoding.startswith("coco") and (settings.order != "column" or settings.relative):
        yield f"encoding: {settings.encoding} counts down columns; set order: column"
    if settings.encoding.startswith("coco") and settings.relative:
        yield f"encoding: {settings.encoding} has its own starts; leave out relative"


def _value_problems(settings: SubmissionConfig) -> Iterator[str]:
    values = settings.values or {}
    if settings.format in _ARRAYS and values:
        name, value = max(values.items(), key=lambda each: each[1])
        if value > LARGEST[settings.dtype]:
            yield (
                f"values: {name}: {value} does not fit dtype: {settings.dtype}, which goes to "
                f"{LARGEST[settings.dtype]:,}"
            )
    is_picture = settings.format == "masks" and settings.file.lower().endswith(".png")
    if is_picture and settings.dtype not in ("uint8", "uint16"):
        yield f"dtype: {settings.dtype} does not go into a PNG; take uint8 or uint16, or .tif"


def misfits_of_data(settings: SubmissionConfig, data: DataConfig) -> Iterator[str]:
    """What of the settings does not fit the classes and images of the data, one line each."""
    if strange := sorted(set(settings.values or {}) - set(data.classes)):
        known = ", ".join(data.classes)
        yield f"submission.values: there is no class {strange[0]!r}; classes: {known}"
    elif settings.values and (
        lacking := [each for each in data.classes if each not in settings.values]
    ):
        yield f"submission.values: say the number of {lacking[0]!r}, too"
    if data.test is None:
        return
    yield from _class_misfits(settings, data)
    yield from _number_misfits(settings, data)
    numbers = data.class_values.values() if settings.values is None else ()
    if settings.format in _ARRAYS and max(numbers, default=0) > LARGEST[settings.dtype]:
        yield (
            f"submission.dtype: {settings.dtype} goes to {LARGEST[settings.dtype]:,}, and a class "
            f"has the number {max(numbers)}; choose a wider dtype, or set submission.values"
        )
    if settings.format == "masks" and data.volume is not None and ".png" in settings.file.lower():
        yield "submission.file: a volume is a file of several pages; take .tif or .npy"


def _class_misfits(settings: SubmissionConfig, data: DataConfig) -> Iterator[str]:
    several, rows = len(data.classes) > 1, settings.rows
    if several and settings.format == "rle":
        if rows != "class" and not (rows == "instance" and "{class}" in settings.cell):
            yield (
                f"submission.rows: {rows} allows one class only; for several classes set "
                "rows: class and a key with {class} in it"
            )
    elif several and settings.format in (*_ARRAYS, "pixels") and not data.multiclass:
        apart = {"masks": "{class}" in settings.file, "npz": "{class}" in settings.key}
        if not apart.get(settings.format):
            remedy = {
                "masks": ", or put {class} into file",
                "npz": ", or set rows: class and a key with {class}",
            }
            yield (
                f"submission.format: {settings.format} holds one class a pixel, and "
                "data.multiclass is false, so classes may overlap; set it"
                f"{remedy.get(settings.format, '')}"
            )


def _number_misfits(settings: SubmissionConfig, data: DataConfig) -> Iterator[str]:
    """Numbers of classes that a reader of the submission could not tell from something else."""
    numbers = data.class_values if settings.values is None else settings.values
    drawn = settings.format in (*_ARRAYS, "pixels", "coco")
    if "{class}" in (settings.key if settings.format == "npz" else settings.file):
        drawn = settings.values is not None  # else there is 1 inside
    if drawn and not data.multiclass and 0 in numbers.values():
        name = next(each for each in numbers if not numbers[each])
        yield (
            f"submission.values: {name!r} would have the number 0, which stands for no class; give "
            "it another"
        )
    counted = settings.format == "coco" or "{class}" in settings.cell
    if counted and len(set(numbers.values())) < len(numbers):
        yield "submission.values: two classes have one number, and could not be told apart"
