"""Keys of the `data` block that do not fit each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.config.annotations import AnnotationFiles
from pipeline.config.expressions import check_expression
from pipeline.config.label_maps import LabelMapFiles
from pipeline.config.patterns import ImagePattern
from pipeline.config.tables import MaskTable

if TYPE_CHECKING:
    from pipeline.config.data import DataConfig


def class_problems(data: DataConfig) -> Iterator[str]:
    values = list(data.classes.values())
    if len(set(values)) != len(values):
        yield f"two classes share a {'colour' if data.has_colours else 'pixel value'}"
    if len({unicodedata.normalize("NFC", name) for name in data.classes}) != len(values):
        yield "classes: two names differ only in Unicode form and look alike"
    if len(set(map(type, values))) > 1:
        yield "some classes have colours, others pixel values"
    elif data.void is not None and isinstance(data.void, str) != data.has_colours:
        yield f"void: {data.void} and the classes must all be colours, or all pixel values"
    if data.void is not None and data.void in values:
        yield f"void: {data.void} is also the value of a class"
    if data.multiclass and len(values) < 2:
        yield "multiclass: true needs two classes or more"


def mask_problems(data: DataConfig) -> Iterator[str]:
    if not isinstance(data.masks, str):
        yield from data.masks.problems(len(data.classes))
    yield from _missing_problems(data)
    if (data.multiclass or data.void is not None) and not data.has_values:
        key = "multiclass: true" if data.multiclass else f"void: {data.void}"
        yield f"{key} needs masks with one file of pixel values per image"
    elif data.others != "error" and not data.has_values:
        yield f"others: {data.others} needs masks with one file of pixel values per image"
    elif data.others == "background" and data.multiclass:
        yield "others: background needs a class of its own with multiclass: true; or set void"
    elif data.soft and (
        not isinstance(data.masks, str) or (len(data.classes) > 1 and not data.masks_by_class)
    ):
        yield "soft: true needs masks by a pattern, with {class} in it for several classes"
    elif data.has_colours and not data.has_values:
        yield "classes: colours need masks with one file per image"


def _missing_problems(data: DataConfig) -> Iterator[str]:
    masks, wish = data.masks, f"without_mask: {data.without_mask}"
    if data.without_mask == "drop" and isinstance(masks, MaskTable) and data.volume is not None:
        yield f"{wish} leaves out whole volumes, and the rows of a table are about slices"
    if data.without_mask != "empty":
        return
    if isinstance(masks, AnnotationFiles):
        yield f"{wish} is for files of masks; annotations have masks.missing: empty"
    elif isinstance(masks, MaskTable):
        yield f"{wish} is for files of masks, and a table says itself which masks are empty"
    elif data.multiclass:
        yield f"{wish} leaves pixels without a class, and multiclass: true needs one for each"


def band_problems(data: DataConfig) -> Iterator[str]:
    if data.bands is None:
        patterns = _image_patterns(data).values()
        if any("{band}" in pattern for pattern in patterns if isinstance(pattern, str)):
            yield "a pattern with {band} needs the names of the bands in bands: [...]"
        if not all(isinstance(pattern, str) for pattern in patterns):
            yield "a list of patterns needs the names of all bands, file by file, in bands: [...]"
        for key in ("derive", "no_data", "array", "axes", "show", "stack", "volume"):
            if getattr(data, key) not in (None, {}):
                yield f"{key} needs bands: [...], the names of an image's channels"
        return
    yield from _list_problems(data)
    known = data.own_bands
    if len(set(known)) != len(known):
        yield "bands, derive: a name stands twice"
    for name, text in data.derive.items():
        try:
            check_expression(text, data.bands)
        except ValueError as error:
            yield f"derive.{name}: {error}"
    if data.show is not None and len(data.show) not in (1, 3):
        yield "show takes one band, or three"
    for name in sorted(set(data.show or ()) - set(known)):
        yield f"show: there is no band {name!r}; bands: {', '.join(known)}"
    if data.stack is not None and data.reference is not None:
        yield "stack and reference do not go together: a reference has no neighbours"
    yield from _volume_problems(data)
    if data.exif is not None:
        yield "exif turns 8-bit images only; leave it out where bands are named"


def _list_problems(data: DataConfig) -> Iterator[str]:
    """An image is read in the same way wherever it is."""
    files = {
        key: None if isinstance(pattern, str) else len(pattern)
        for key, pattern in _image_patterns(data).items()
    }
    wanted = files["images"]
    shown = "one pattern" if wanted is None else f"a list of {wanted} patterns"
    for key, count in files.items():
        if count != wanted:
            yield f"{key} needs {shown}, as images"
    if wanted is not None and wanted > len(data.bands or ()):
        yield f"images: {wanted} files have {wanted} bands or more; name all of them in bands"


def _image_patterns(data: DataConfig) -> dict[str, ImagePattern]:
    keys = ("images", "test", "reference", "test_reference")
    return {key: getattr(data, key) for key in keys if getattr(data, key) is not None}


def _volume_problems(data: DataConfig) -> Iterator[str]:
    said = [] if data.stack is None else [data.stack.of, data.stack.position]
    if data.volume is None:
        if None in said:
            yield "stack needs of and position: how ids name the stack and the place in it"
        return
    if any(each is not None for each in said):
        yield "stack: leave out of and position, since with volume a volume is the stack"
    if data.reference is not None:
        yield "volume and reference do not go together"
    if isinstance(data.masks, AnnotationFiles):
        yield "volume needs masks that are volumes, or a table of run lengths, and no annotations"
    elif isinstance(data.masks, LabelMapFiles) and data.masks.stack is not None:
        yield "volume: the slices of masks are not objects; leave out masks.stack"
    elif data.has_colours:
        yield "volume: masks that are volumes have numbers, and no colours"
