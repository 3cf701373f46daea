"""Proposes an experiment for a folder of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pipeline.config import DataConfig
from pipeline.data.groups import groups_of
from pipeline.data.row_keys import as_matched
from pipeline.errors import ConfigError, DataError
from pipeline.proposal.data_keys import (
    propose_bands,
    propose_drop,
    propose_sources,
    propose_values,
)
from pipeline.proposal.findings import Found
from pipeline.proposal.groups import propose_groups
from pipeline.proposal.layout import Layout, find_layout
from pipeline.proposal.order import order_by_files, order_by_header, order_by_images
from pipeline.proposal.stacks import propose_stack
from pipeline.proposal.submission_keys import propose_submission

_FOLDS = 5
_CROP = 256  # pixels a side, at most
_STEP = 32  # networks halve a side five times


@dataclass(frozen=True)
class Proposal:
    """The blocks of an experiment, and notes about what none of them says."""

    blocks: dict[str, list[Found]]
    """Name of the block → its keys; "" for keys of the top level."""
    notes: tuple[str, ...]
    summary: str
    """What was found, in one line."""

    @property
    def raw(self) -> dict[str, Any]:
        """The experiment as YAML says it, but for its name and models."""
        said = {
            block: {each.key: each.value for each in found if each.is_said}
            for block, found in self.blocks.items()
        }
        return {**said.pop("", {}), **said}


def propose(root: Path) -> Proposal:
    """Look at a folder and propose an experiment; only a bounded number of files is read.

    DataError where there are no images with masks, or no pattern can tell them apart.
    """
    layout = find_layout(root)
    values = _renamed(list(propose_values(layout)), layout)
    by_key = {each.key: each.value for each in values}
    order = _order(layout, root, by_key)
    group = propose_groups(layout.tables, layout.images.ids.keys(), _FOLDS)
    if layout.volumes is not None:
        group = Found("group", None, "the slices of a volume stay in one fold")
    sources = propose_sources(layout, str(order.value))
    data = [*sources, *propose_bands(layout), *propose_stack(layout), group, *values]
    data += [drop] if (drop := propose_drop(layout)) else []
    folds, groups = _folds(layout, root, data)
    classes = list(by_key["classes"])
    several = bool(by_key.get("multiclass") or by_key.get("void") is not None)
    metric = "mean_iou" if several and len(classes) > 1 else "dice"
    blocks = {
        "data": [Found("root", str(root), f"{layout.tree.files} files below it"), *data],
        "folds": [folds],
        "train": [_crop(layout)],
        "": [
            Found("metric", metric, "edit: the score of the competition (docs/stages.md)", "guess")
        ],
        "submission": list(propose_submission(layout, classes, order)),
    }
    return Proposal(blocks, tuple(_notes(layout, group)), _summary(layout, groups))


def _renamed(values: list[Found], layout: Layout) -> list[Found]:
    """Classes by the names that a sample submission has for as many."""
    sample, found = layout.sample, {each.key: each for each in values}["classes"]
    names = sample.classes if sample else ()
    if layout.pair is None or len(names) != len(found.value) or set(names) == set(found.value):
        return values
    assert sample is not None
    numbers = found.value.values() if isinstance(found.value, dict) else range(1, len(names) + 1)
    value = dict(zip(names, numbers, strict=True))
    why = f"{found.why}; {sample.table.path} names as many, here in its order"
    other = replace(found, value=value, why=why, sureness="guess")
    return [other if each is found else each for each in values]


def _order(layout: Layout, root: Path, values: dict[str, Any]) -> Found:
    rows, found = layout.rows, None
    if rows is not None and layout.pair is not None:
        found = order_by_files(root, layout.pair, rows)
    elif rows is not None:
        raw = {
            "root": str(root),
            "images": layout.images.pattern,
            "masks": rows.source("column"),
            "classes": values["classes"],
        }
        found = order_by_images(_valid(raw), rows)
    return found or order_by_header(layout.sample)


def _folds(layout: Layout, root: Path, data: Sequence[Found]) -> tuple[Found, int]:
    """`folds.count` that the number of groups allows, and that number."""
    raw = {each.key: each.value for each in data if each.is_said}
    ids = list(layout.images.ids)
    what = "images" if raw.get("group") is None else "groups"
    what = what if layout.volumes is None else "volumes"
    try:
        groups = groups_of(ids, _valid({"root": str(root), **raw}))
        count = len(set(groups.values()))
    except DataError:
        count = len(ids)  # `check` says what is wrong with the groups
    if count >= _FOLDS:
        return Found("count", _FOLDS, f"{count} {what} are enough", "default"), count
    return Found("count", max(2, count), f"there are {count} {what}", "sure"), count


def _valid(raw: dict[str, Any]) -> DataConfig:
    """The block, or DataError for what no experiment can say: odd names of classes or files."""
    try:
        return DataConfig.model_validate(raw)
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise ConfigError(
            f"{raw['root']}: what lies there cannot be said in an experiment ({what}); rename it, "
            "or copy configs/own.yaml and edit it"
        ) from None


def _crop(layout: Layout) -> Found:
    sizes = layout.families.look(layout.images.family).sizes or [(_CROP, _CROP)]
    height, width = np.median(np.array(sizes), axis=0).astype(int).tolist()
    crop = [max(_STEP, min(_CROP, side // _STEP * _STEP)) for side in (height, width)]
    why = f"a crop of the images, the first of which have about {height}×{width} pixels (H×W)"
    return Found("size", crop, why, "default")


def _notes(layout: Layout, group: Found) -> list[str]:
    notes = [f"not used: {each}" for each in layout.unused]
    used = {each.table.path for each in (layout.rows, layout.sample) if each}
    used |= {group.value["csv"]} if isinstance(group.value, dict) else set()
    notes += [
        f"table: {each.path}, columns {', '.join(each.header[:6])}"
        for each in layout.tables
        if each.path not in used
    ]
    if "*" in layout.images.pattern and group.value is None:
        notes.append("images lie in several folders; if these are groups, a table must say so")
    if layout.test is not None:
        both = {*map(as_matched, layout.test.ids)} & {*map(as_matched, layout.images.ids)}
        notes += [f"{len(both)} id(s) are in images and in test"] * bool(both)
    notes += [f"cannot be read: {each}" for each in layout.problems]
    notes += [f"cannot be opened: {each}" for each in layout.tree.closed]
    notes += [f"only the first {layout.tree.files} files were listed"] * layout.tree.is_cut
    return notes


def _summary(layout: Layout, groups: int) -> str:
    what = "images" if layout.volumes is None else "volumes"
    test = f", {len(layout.test.ids)} test {what}" if layout.test else ""
    grouped = f" in {groups} groups" if groups < len(layout.images.ids) else ""
    read = len(layout.reader.read) + len(layout.tables)
    return (
        f"{len(layout.images.ids)} {what} with masks{grouped}{test}; {read} of "
        f"{layout.tree.files} files read"
    )
