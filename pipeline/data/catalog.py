"""Lists the samples of a competition; ids are matched by value, never by the order of files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pipeline.config import DataConfig
from pipeline.config.patterns import ImagePattern
from pipeline.data.array_files.zarr_marks import is_zarr_folder
from pipeline.data.listing import listed
from pipeline.data.masks.registry import mask_format
from pipeline.data.name_patterns import fixed_letters, matching
from pipeline.data.volume_slices import slices_of
from pipeline.errors import DataError

Part = Literal["train", "test"]


class NoImagesError(DataError):
    """The pattern of training images matches no file."""


@dataclass(frozen=True)
class Sample:
    """One image with its mask and reference files."""

    id: str
    image: Path
    masks: tuple[Path, ...] = ()
    """Mask files; empty for test samples and for masks without a file an image."""
    reference: Path | None = None
    part: Part = "train"


@dataclass(frozen=True)
class Catalog:
    """All samples by part, in the order of their ids, and the ids that several files claim."""

    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    duplicates: tuple[str, ...]
    masks_without_image: tuple[str, ...]
    dropped_in_vain: tuple[str, ...] = ()
    """Ids of `data.drop` that no training image has."""
    without_mask: tuple[str, ...] = ()
    """Training images that are left out since they have no mask: ids, of volumes where images are
    their slices."""

    @cached_property
    def by_id(self) -> dict[str, dict[str, Sample]]:
        """part → id → sample."""
        parts = {"train": self.train, "test": self.test}
        return {part: {each.id: each for each in samples} for part, samples in parts.items()}


def list_samples(data: DataConfig) -> Catalog:
    """Find every sample. DataError when the folder or all training images are missing."""
    if not data.root.is_dir():
        raise DataError(
            f"data.root: there is no folder {data.root.absolute()}; set it, or give DATA=…"
        )
    images = _found(data, data.images)
    if not images:
        first = data.root / data.of_first_file(data.images)
        raise NoImagesError(f"data.images: no file matches {first}")
    masks = _found(data, mask_format(data).pattern)
    references, test, test_references = (
        _found(data, pattern) for pattern in (data.reference, data.test, data.test_reference)
    )
    lone = tuple(sorted(set(masks) - set(images)))
    known = set(images)
    bare = _without_mask(images, masks, data)
    images = {each: paths for each, paths in images.items() if each not in bare}
    if data.volume is not None:
        whole = {each: paths for each, paths in images.items() if each not in data.drop}
        images, masks, test = slices_of(whole, masks, test, data)
        known |= set(images)
    kept = {each: paths for each, paths in images.items() if each not in data.drop}
    return Catalog(
        train=_samples("train", kept, masks, references),
        test=_samples("test", test, {}, test_references),
        duplicates=tuple(_claimed_twice(kept) + _claimed_twice(test)),
        masks_without_image=lone,
        dropped_in_vain=tuple(sorted(set(data.drop) - known)),
        without_mask=tuple(sorted(bare)),
    )


def _without_mask(
    images: Mapping[str, object], masks: Mapping[str, tuple[Path, ...]], data: DataConfig
) -> set[str]:
    """The images that `data.without_mask` leaves out; NoImagesError where that is all of them."""
    if data.without_mask != "drop":
        return set()
    source = mask_format(data)
    bare = {each for each in images if source.lacks(each, masks.get(each, ()))}
    if len(bare) == len(images):
        where = source.pattern or listed([path.name for path in source.shared_files])
        raise NoImagesError(f"data.without_mask: drop leaves no image; none is in {where}")
    return bare


def list_test_samples(data: DataConfig) -> tuple[Sample, ...]:
    """The test images alone, in the order of their ids; () where there are none."""
    test = _found(data, data.test)
    if data.volume is not None:
        test = slices_of({}, {}, test, data)[2]
    return _samples("test", test, {}, {})


def _found(data: DataConfig, pattern: ImagePattern | None) -> dict[str, tuple[Path, ...]]:
    if pattern is None:
        return {}
    return _files_in(first_entries(data, pattern), folders=data.volume is not None)


def first_entries(data: DataConfig, pattern: ImagePattern) -> dict[Path, str]:
    """Entries that stand for images: their first or only file → id.

    A file that fits several patterns of a list is that of the one with the most fixed letters.
    """
    first, *others = data.by_file(pattern).values()
    closer = [each for each in others if fixed_letters(each) > fixed_letters(first)]
    taken = {path for each in closer for path in matching(data.root, each)}
    return {path: each for path, each in matching(data.root, first).items() if path not in taken}


def patterns_of(data: DataConfig) -> dict[str, str]:
    """Key of the experiment → its pattern of files."""
    patterns: dict[str, ImagePattern | None] = {
        "data.images": data.images,
        "data.masks": mask_format(data).pattern,
        "data.ignore": data.ignore,
        "data.test": data.test,
        "data.reference": data.reference,
        "data.test_reference": data.test_reference,
    }
    return {
        key if name is None else f"{key} ({name})": of_band
        for key, pattern in patterns.items()
        if pattern is not None
        for name, of_band in data.by_file(pattern).items()
    }


def find_files(root: Path, pattern: str, *, folders: bool = False) -> dict[str, tuple[Path, ...]]:
    """id → the files (and zarr folders) below `root` that match `pattern`, where `{id}` is the id.

    folders: any folder counts, since it may be a DICOM series. `*` matches anything within a
    name; `{class}` is the name of a class. Hidden files are none: macOS leaves a `._name` beside
    every file that it copies, and Windows a `Thumbs.db` in every folder of images.
    """
    return _files_in(matching(root, pattern), folders=folders)


def _files_in(entries: dict[Path, str], *, folders: bool) -> dict[str, tuple[Path, ...]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for path, sample_id in entries.items():
        if path.is_file() or is_zarr_folder(path) or (folders and path.is_dir()):
            found[sample_id].append(path)
    return {sample_id: tuple(paths) for sample_id, paths in sorted(found.items())}


def _samples(
    part: Part,
    images: dict[str, tuple[Path, ...]],
    masks: dict[str, tuple[Path, ...]],
    references: dict[str, tuple[Path, ...]],
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            part=part,
            id=sample_id,
            image=paths[0],
            masks=masks.get(sample_id, ()),
            reference=references.get(sample_id, (None,))[0],
        )
        for sample_id, paths in images.items()
    )


def _claimed_twice(images: dict[str, tuple[Path, ...]]) -> list[str]:
    return [sample_id for sample_id, paths in images.items() if len(paths) > 1]
