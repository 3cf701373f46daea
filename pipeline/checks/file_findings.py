"""What is odd about the files of the data, whatever is in their pixels."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.checks.finding import Finding
from pipeline.checks.lone_files import lone_files
from pipeline.checks.number_types import mixed_types
from pipeline.checks.unmatched_files import find_leftovers
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog


def file_problems(catalog: Catalog, data: DataConfig) -> Iterator[Finding]:
    """Files that are not read, that belong to no image, or hold other types of number."""
    yield from find_leftovers(catalog, data)
    yield from lone_files(data)
    yield from mixed_types(catalog, data)
