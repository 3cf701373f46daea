"""Stacks with two images at one position, or with gaps."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog
from pipeline.data.listing import listed
from pipeline.data.stacks import Stacks
from pipeline.errors import DataError


def stack_problems(catalog: Catalog, data: DataConfig) -> Iterator[Finding]:
    """Errors for positions that several images have; warnings for those that none has."""
    if data.stack is None:
        return
    for samples in (catalog.train, catalog.test):
        try:
            stacks = Stacks.of([sample.id for sample in samples], data.stack)
        except DataError as error:
            yield Finding("error", "data.stack", str(error).removeprefix("data.stack: "))
            continue
        twice = [ids for places in stacks.ids.values() for ids in places.values() if len(ids) > 1]
        for ids in twice[:3]:
            yield Finding(
                "error", "data.stack", f"{listed(ids)} have the same position in one stack"
            )
        gaps = {
            stack: max(places) - min(places) + 1 - len(places)
            for stack, places in stacks.ids.items()
        }
        torn = [stack for stack, count in gaps.items() if count]
        if torn:
            how = "the nearest image" if data.stack.edges == "repeat" else "no data"
            yield Finding(
                "warning",
                "data.stack",
                f"{sum(gaps.values())} position(s) without an image in {listed(torn)}; {how} "
                "stands for them",
            )
