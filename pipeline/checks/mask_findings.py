"""Masks without image, palettes that differ, and classes that occur in too few masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.checks.finding import Finding
from pipeline.config import Experiment
from pipeline.data.catalog import Catalog
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
    train = [record for record in records if record.part == "train" and not record.problem]
    yield from _palette_problems(train)
    if train:
        yield from _class_problems(train, experiment)
    if catalog.dropped_in_vain:
        text = f"no training image has the id {listed(catalog.dropped_in_vain)}"
        yield Finding("warning", "data.drop", text)


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
