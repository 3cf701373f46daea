"""The images that a user names: files, folders and patterns, each image once, stems apart."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from pipeline.data.catalog import Sample
from pipeline.data.containers import image_suffixes
from pipeline.data.listing import enumerated
from pipeline.data.samples import SampleReader
from pipeline.ensemble.blending.threads import ordered
from pipeline.errors import DataError
from pipeline.reporting import Reporter

ROWS = 1024  # of an image that are decoded together, where its format allows it


def list_images(named: Sequence[str]) -> tuple[Sample, ...]:
    """A sample for each image, called by its file's stem, in the order in which they are named.

    named: a file, a folder (the images in it), or a pattern such as `new/*.jpg` or `new/**/*.png`.
    Raises DataError where one of these matches no file, and where two images share a stem,
    because their masks would share a name.
    """
    if not named:
        raise DataError("no images are named; give files, folders, or a pattern: 'new/*.jpg'")
    files = {path.resolve(): path for each in named for path in _files_of(each)}
    by_stem: dict[str, list[Path]] = {}
    for path in files.values():
        by_stem.setdefault(path.stem, []).append(path)
    if twice := [paths for paths in by_stem.values() if len(paths) > 1]:
        shown = enumerated([f"{paths[0]} and {paths[1]}" for paths in twice])
        raise DataError(
            f"{len(twice)} name(s) occur for several images, whose masks would overwrite each "
            f"other: {shown}; rename the images, or predict them into different folders"
        )
    return tuple(Sample(id=path.stem, image=path, part="test") for path in files.values())


def sizes_of(
    samples: Sequence[Sample], reader: SampleReader, reporter: Reporter
) -> dict[str, tuple[int, int]]:
    """H, W of every image by its id; DataError that lists all that cannot be read."""

    def size(sample: Sample) -> tuple[int, int] | str:
        try:
            image = reader.rows(sample)
            for top in range(0, image.shape[0], ROWS):
                image[top : top + ROWS]  # decoding is what tells that it can be
        except DataError as error:
            return str(error)
        return reader.own_size(image)

    sizes: dict[str, tuple[int, int]] = {}
    problems: list[str] = []
    with reporter.track("read", len(samples)) as advance:
        for sample, found in zip(samples, ordered(size, samples), strict=True):
            if isinstance(found, str):
                problems.append(f"  {found}")
            else:
                sizes[sample.id] = found
            advance(1)
    if problems:
        raise DataError(
            f"{len(problems)} of {len(samples)} images cannot be read, and nothing was predicted; "
            "leave them out, or get them again:\n" + "\n".join(problems)
        )
    return sizes


def _files_of(named: str) -> list[Path]:
    path = Path(named)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [each for each in sorted(path.iterdir()) if _is_image(each)]
        if not found:
            raise DataError(f"the folder {path} has no images in it")
        return found
    if not has_magic(named):
        raise DataError(f"there is no image {path}")
    found = matches(named)
    if not found:
        raise DataError(f"no image matches {named}")
    return found


def matches(pattern: str) -> list[Path]:
    """The files, hidden ones left out, that a pattern stands for; in the order of their names."""
    # not Path.glob, which refuses absolute patterns
    found = sorted(glob(pattern, recursive=True))  # noqa: PTH207
    return [Path(each) for each in found if Path(each).is_file()]


def _is_image(path: Path) -> bool:
    return path.is_file() and path.name[0] != "." and path.suffix.lower() in image_suffixes()
