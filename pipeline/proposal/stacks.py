"""Images that are slices of stacks, or frames of films, by the numbers that their ids end with."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator

from pipeline.config.bands import COLOURS
from pipeline.data.array_files.registry import open_array
from pipeline.errors import DataError
from pipeline.proposal.findings import Found, Sureness
from pipeline.proposal.layout import Layout

_NAMED = re.compile(r"^(.+?)([_-]*(?:slice|frame|plane|layer)[_-]?)(\d{1,18})$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.+)([_-])(\d{1,18})$")
_FEWEST = 4
"""Images of a stack, on average."""


def propose_stack(layout: Layout) -> Iterator[Found]:
    """`bands` and `stack` where ids say so; nothing else can be shown its neighbours."""
    if layout.volumes is not None or layout.reference is not None:
        return
    first = layout.images.family.sample(1)[0]
    try:
        image = open_array(layout.tree.root / first)
    except DataError:
        return  # as `check` will say
    gray = image.axes == "YX"
    ids = [*layout.images.ids, *(layout.test.ids if layout.test else ())]
    sureness: Sureness = "likely"
    found = _stacks(ids, _NAMED, gaps=True)
    if found is None and gray:
        found, sureness = _stacks(ids, _NUMBERED, gaps=False), "guess"
    if found is None or image.axes not in ("YX", "YXC"):
        return
    (of, position), count = found
    bands = 1 if gray else image.shape[-1]
    names = list(COLOURS) if bands == len(COLOURS) else [f"band{n + 1}" for n in range(bands)]
    why = f"{bands} channel(s) of {image.dtype}, read as they are: a stack needs their names"
    yield Found("bands", ["gray"] if gray else names, why, sureness)
    why = f"ids such as {min(ids)} number {count} stack(s); networks see the images beside each"
    value = {"of": of, "position": position, "neighbours": [-1, 0, 1]}
    yield Found("stack", value, why, sureness)


def _stacks(
    ids: Collection[str], form: re.Pattern[str], *, gaps: bool
) -> tuple[tuple[str, str], int] | None:
    """The patterns of `data.stack` and the number of stacks; None where ids are not so.

    gaps: whether positions may be missing.
    """
    places: dict[str, set[int]] = defaultdict(set)
    between = set()
    for each in ids:
        match = form.match(each)
        if match is None or int(match[3]) in places[match[1]]:
            return None
        places[match[1]].add(int(match[3]))
        between.add(match[2])
    holes = any(max(each) - min(each) + 1 != len(each) for each in places.values())
    if len(ids) < _FEWEST * len(places) or len(between) > 1 or (holes and not gaps):
        return None
    mark = re.escape(between.pop()).replace(r"\-", "-")
    return (f"^(.+){mark}\\d+$", f"{mark}(\\d+)$"), len(places)
