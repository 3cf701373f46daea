"""Files of images that consist of several files, where the first one is missing."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.catalog import first_entries
from pipeline.data.listing import listed
from pipeline.data.name_patterns import matching


def lone_files(data: DataConfig) -> Iterator[Finding]:
    """A warning for each further pattern that matches files of ids without a first file: these are
    no images. A further file that is missing is an error of its image.
    """
    for key in ("images", "test", "reference", "test_reference"):
        pattern = getattr(data, key)
        if pattern is None:
            continue
        (_, first), *others = data.by_file(pattern).items()
        known = set(first_entries(data, pattern).values())
        for name, other in others:
            if lone := sorted({*matching(data.root, other).values()} - known):
                yield Finding(
                    "warning",
                    f"data.{key} ({name})",
                    f"{other} has {len(lone)} id(s) that {first} has not, so they are no images: "
                    f"{listed(lone)}",
                )
