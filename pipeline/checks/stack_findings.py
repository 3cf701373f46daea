"""Stacks with two images at one position, or with gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.config.stack import StackConfig
from pipeline.data.catalog import Catalog
from pipeline.data.listing import listed
from pipeline.data.stacks import Stacks
from pipeline.errors import DataError


def stack_problems(
    catalog: Catalog, groups: Mapping[str, str], data: DataConfig
) -> Iterator[Finding]:
    """Errors for positions that several images have; warnings for those that none has, and for
    stacks that groups (by id) tear apart.
    """
    if data.stack is None:
        return
    yield from _torn_stacks(catalog, groups, data.stack)
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


def _torn_stacks(
    catalog: Catalog, groups: Mapping[str, str], config: StackConfig
) -> Iterator[Finding]:
    try:
        places = Stacks.of([sample.id for sample in catalog.train], config).places
    except DataError:
        return
    found: dict[str, set[str]] = defaultdict(set)
    for each, place in places.items():
        if each in groups:
            found[place.stack].add(groups[each])
    torn = sorted(stack for stack, several in found.items() if len(several) > 1)
    if torn:
        yield Finding(
            "warning",
            "data.group",
            f"{listed(torn)}: one stack is in several groups, so networks are shown neighbours "
            "that are held out, and scores are too good; leave out data.group, or name the stack",
        )
