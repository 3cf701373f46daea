"""Masks without image, palettes that differ, and classes that occur in too few masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig, Experiment
from pipeline.data.catalog import Catalog, find_files
from pipeline.data.inspection import Record
from pipeline.data.listing import listed


def mask_problems(
    catalog: Catalog, records: Sequence[Record], experiment: Experiment
) -> Iterator[Finding]:
    """Problems of the masks as a whole, or of `data.drop`."""
    if catalog.masks_without_image:
        yield Finding(
            "warning", "data.masks", f"masks without image: {listed(catalog.masks_without_image)}"
        )
    yield from _without_mask(catalog, experiment.data)
    yield from _ignore_problems(catalog, experiment.data)
    train = [record for record in records if record.part == "train" and not record.problem]
    yield from _palette_problems(train)
    if train:
        yield from _class_problems(train, experiment)
    if catalog.dropped_in_vain:
        text = f"no training image has the id {listed(catalog.dropped_in_vain)}"
        yield Finding("warning", "data.drop", text)


def _without_mask(catalog: Catalog, data: DataConfig) -> Iterator[Finding]:
    """How many images `data.without_mask` is about."""
    if catalog.without_mask:
        what = "volume(s)" if data.volume is not None else "image(s)"
        count = len(catalog.without_mask)
        text = f"{count:,} {what} have no mask, and are left out: {listed(catalog.without_mask)}"
        yield Finding("warning", "data.without_mask", text)
    empty = [each.id for each in catalog.train if not each.masks]
    if data.without_mask == "empty" and empty:
        text = f"{len(empty):,} image(s) have no mask, so nothing is on them: {listed(empty)}"
        yield Finding("warning", "data.without_mask", text)


def _ignore_problems(catalog: Catalog, data: DataConfig) -> Iterator[Finding]:
    """Files of `data.ignore` without image, and images without one."""
    if data.ignore is None:
        return
    found = set(find_files(data.root, data.ignore, folders=data.volume is not None))
    if not found:
        text = f"no file matches {data.root / data.ignore}; fix the pattern, or remove it"
        yield Finding("error", "data.ignore", text)
        return
    ids = set(catalog.by_id["train"])
    if data.volume is not None:
        ids = {data.volume.taken_apart(each)[0] for each in ids}
    if lost := sorted(found - ids - set(data.drop)):
        yield Finding("warning", "data.ignore", f"files without training image: {listed(lost)}")
    if whole := sorted(ids - found):
        text = f"{len(whole)} image(s) have no file, so all their pixels count: {listed(whole)}"
        yield Finding("warning", "data.ignore", text)


def _palette_problems(train: Sequence[Record]) -> Iterator[Finding]:
    """Palette indices with different colours in different masks do not identify a class."""
    first: dict[str, tuple[str, str]] = {}
    for record in train:
        for index, colour in (each.split(" ") for each in record.colours.split(", ") if each):
            known, where = first.setdefault(index, (colour, record.id))
            if known != colour:
                yield Finding(
                    "error",
                    "data.masks",
                    f"palettes differ: index {index} is {known} in the mask of {where} and "
                    f"{colour} in that of {record.id}, so indices do not identify the class; "
                    "save the masks as gray values",
                )
                return


def _class_problems(train: Sequence[Record], experiment: Experiment) -> Iterator[Finding]:
    if not any(any(record.shares) for record in train):
        yield Finding("error", "data.masks", "every mask is empty; there is nothing to learn")
        return
    if len(train) > 1 and all(set(record.shares) == {1.0} for record in train):
        text = "every mask covers its whole image; do their values mean something else?"
        yield Finding("warning", "data.masks", text)
    folds = experiment.folds.count
    for position, name in enumerate(experiment.data.class_names):
        holders = [record.id for record in train if record.shares[position] > 0]
        if not holders:
            yield Finding(
                "error",
                f"class {name}",
                "occurs in no mask; fix its name in data.classes, or remove it",
            )
        elif len(holders) < folds:
            text = f"is in {len(holders)} image(s), fewer than the {folds} folds: {listed(holders)}"
            yield Finding("warning", f"class {name}", text)
