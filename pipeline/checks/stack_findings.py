"""Stacks with two images at one position, or with gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog
from pipeline.data.inspection import Record
from pipeline.data.listing import listed
from pipeline.data.stacks import Stacks
from pipeline.errors import DataError
from pipeline.size import Size


def stack_problems(
    catalog: Catalog, records: Sequence[Record], groups: Mapping[str, str], data: DataConfig
) -> Iterator[Finding]:
    """Errors for positions that several images have, and for stacks of images of several sizes;
    warnings for positions that none has, and for stacks that groups (by id) tear apart.
    """
    if data.order is None:
        return
    yield from _torn_stacks(catalog, groups, data.order)
    sizes = {(each.part, each.id): (each.height, each.width) for each in records if each.digest}
    for part, samples in (("train", catalog.train), ("test", catalog.test)):
        try:
            stacks = Stacks.of([sample.id for sample in samples], data.order)
        except DataError as error:
            yield Finding("error", "data.stack", str(error).removeprefix("data.stack: "))
            continue
        yield from _sizes(stacks, {each: size for (of, each), size in sizes.items() if of == part})
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
            repeats = data.stack is None or data.stack.edges == "repeat"
            how = "the nearest image" if repeats else "no data"
            yield Finding(
                "warning",
                "data.stack",
                f"{sum(gaps.values())} position(s) without an image in {listed(torn)}; {how} "
                "stands for them",
            )


def _sizes(stacks: Stacks, sizes: Mapping[str, Size]) -> Iterator[Finding]:
    """sizes: H, W by id, of images that could be read."""
    for stack, places in stacks.ids.items():
        by_size = {sizes[each]: each for ids in places.values() for each in ids if each in sizes}
        if len(by_size) > 1:
            (one, first), (other, second) = list(by_size.items())[:2]
            yield Finding(
                "error",
                "data.stack",
                f"{listed([first])} is {one[0]}×{one[1]} and {listed([second])} "
                f"{other[0]}×{other[1]} (height×width), but both are of the stack {stack}",
            )


def _torn_stacks(
    catalog: Catalog, groups: Mapping[str, str], order: tuple[str, str]
) -> Iterator[Finding]:
    try:
        places = Stacks.of([sample.id for sample in catalog.train], order).places
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
