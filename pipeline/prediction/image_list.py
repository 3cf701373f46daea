"""The images that a user names: files, folders and patterns, each image once, names apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.catalog import Sample
from pipeline.data.listing import enumerated
from pipeline.data.samples import SampleReader
from pipeline.data.stacks import ids_by_stack
from pipeline.data.volume_slices import slices_of
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.prediction.named_images import NamedImages
from pipeline.reporting import Reporter
from pipeline.size import Size

ROWS = 1024  # of an image that are decoded together, where its format allows it


def list_images(named: Sequence[str], data: DataConfig) -> tuple[Sample, ...]:
    """A sample for each image, in the order in which they are named.

    named: a file, a folder (the images in it), or a pattern such as `new/*.jpg` or `new/**/*.png`.
    An image is called by its file's stem; where each band has a file, by the rest of their names.
    Raises DataError where one of these matches no file, and where two images share a name, because
    their masks would, too.
    """
    if not named:
        raise DataError("no images are named; give files, folders, or a pattern: 'new/*.jpg'")
    found = NamedImages(data).of(named)
    by_name: dict[str, list[Path]] = {}
    for name, path in found:
        by_name.setdefault(name, []).append(path)
    if twice := [paths for paths in by_name.values() if len(paths) > 1]:
        shown = enumerated([f"{paths[0]} and {paths[1]}" for paths in twice])
        raise DataError(
            f"{len(twice)} name(s) occur for several images, whose masks would overwrite each "
            f"other: {shown}; rename the images, or predict them into different folders"
        )
    if data.volume is not None:
        return tuple(_slices(found, data))
    return tuple(Sample(id=name, image=path, part="test") for name, path in found)


def _slices(volumes: Sequence[tuple[str, Path]], data: DataConfig) -> Iterator[Sample]:
    """Those of each volume; DataError lists all volumes that cannot be read."""
    found = slices_of({}, {}, {name: (path,) for name, path in volumes}, data)[2]
    for sample_id, (path,) in found.items():
        yield Sample(id=sample_id, image=path, part="test")


def slices_by_volume(samples: Sequence[Sample], data: DataConfig) -> dict[str, list[str]]:
    """The ids of the slices of each volume, in their order; nothing for images of other kinds."""
    if data.order is None or data.volume is None:
        return {}
    return ids_by_stack([sample.id for sample in samples], data.order)


def sizes_of(
    samples: Sequence[Sample], reader: SampleReader, reporter: Reporter
) -> dict[str, Size]:
    """H, W of every image by its id; DataError that lists all that cannot be read."""
    sizes, problems = _read_through(samples, reader, reporter)
    if problems:
        raise DataError(
            f"{len(problems)} of {len(samples)} images cannot be read, and nothing was predicted; "
            "leave them out, or get them again:\n" + "\n".join(problems)
        )
    return sizes


def readable_sizes(
    samples: Sequence[Sample], reader: SampleReader, reporter: Reporter
) -> dict[str, Size]:
    """The same of all images that can be read; a warning lists the others."""
    sizes, problems = _read_through(samples, reader, reporter)
    if problems:
        reporter.warn(
            f"{len(problems)} of {len(samples)} images cannot be read, and have empty masks:\n"
            + "\n".join(problems)
        )
    return sizes


def _read_through(
    samples: Sequence[Sample], reader: SampleReader, reporter: Reporter
) -> tuple[dict[str, Size], list[str]]:
    """The sizes, and a line for each image that cannot be decoded."""

    def size(sample: Sample) -> Size | str:
        try:
            image = reader.rows(sample)
            for top in range(0, image.shape[0], ROWS):
                image[top : top + ROWS]  # decoding is what tells that it can be
        except DataError as error:
            return str(error)
        return reader.own_size(image)

    sizes: dict[str, Size] = {}
    problems: list[str] = []
    with reporter.track("read", len(samples)) as advance:
        for sample, found in zip(samples, ordered(size, samples), strict=True):
            if isinstance(found, str):
                problems.append(f"  {found}")
            else:
                sizes[sample.id] = found
            advance(1)
    return sizes, problems
