"""Finds the folders of a tree that are alike (one an image, a class, a city), so that one pattern
stands for all of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.proposal.tree import Parts
from pipeline.proposal.words import roles_of

Template = tuple[str | None, ...]
"""Names of folders from the root on; None stands for one that varies."""

_FIXED_NAMES = 5  # names that occur in each of many folders
_SAMPLE = 2000  # names of a folder that are compared with another's


class Place(NamedTuple):
    """One file: the names of the folders that vary, and its own."""

    varying: Parts
    name: str


@dataclass
class _Folder:
    path: Parts
    names: list[str] = field(default_factory=list)
    below: dict[str, _Folder] = field(default_factory=dict)


def places_by_template(images: Mapping[Parts, Sequence[str]]) -> dict[Template, list[Place]]:
    """The files of a tree by the template of their folder."""
    top = _Folder(())
    for path, names in images.items():
        folder = top
        for depth, part in enumerate(path, start=1):
            folder = folder.below.setdefault(part, _Folder(path[:depth]))
        folder.names += names
    return _spread(top)


def _spread(folder: _Folder) -> dict[Template, list[Place]]:
    found: dict[Template, list[Place]] = defaultdict(list)
    if folder.names:
        found[()] += [Place((), name) for name in folder.names]
    inner = {name: _spread(each) for name, each in folder.below.items()}
    alike = _alike(folder, inner)
    for name, templates in inner.items():
        for template, places in templates.items():
            if name in alike:
                found[None, *template] += [
                    Place((name, *each.varying), each.name) for each in places
                ]
            else:
                found[name, *template] += places
    return found


def _alike(folder: _Folder, inner: Mapping[str, dict[Template, list[Place]]]) -> set[str]:
    """The folders below one that a pattern may take as one."""
    numbered: dict[str, list[str]] = defaultdict(list)
    for name in inner:
        numbered[re.sub(r"\d+", "0", name)].append(name)
    series = {name for names in numbered.values() if len(names) > 1 for name in names}
    others = [name for name in inner if name not in series and not roles_of(name)]
    free = [*others, *(name for name in sorted(series) if not roles_of(name))]
    if len(free) > 1 and _belong_together(folder, [inner[name] for name in free]):
        return series | set(free)
    return series


def _belong_together(folder: _Folder, parts: Sequence[dict[Template, list[Place]]]) -> bool:
    """True if folders without a number and a word of their own hold the same kind of thing."""
    shapes = {template for each in parts for template in each}
    if len(shapes) > 6 or not any(parts[0].keys() & each.keys() for each in parts[1:]):
        return False
    roles = {role for part in folder.path for role in roles_of(part)}
    if "mask" in roles or any(roles_of(str(each[0])) for each in shapes if each):
        return True
    stems = [set(_stems(each)) for each in parts]
    union = set().union(*stems)
    if len(union) <= _FIXED_NAMES and not any(each.isdecimal() for each in union):
        return len(parts) > 2 or bool(roles)
    apart = len(union) >= 0.95 * sum(map(len, stems))
    return apart and (len(parts) > 2 or bool(roles))


def _stems(templates: Mapping[Template, Sequence[Place]]) -> Iterator[str]:
    for places in templates.values():
        yield from (each.name.rpartition(".")[0] for each in places[:_SAMPLE])
