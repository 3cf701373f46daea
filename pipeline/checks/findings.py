"""What is wrong, or worth knowing, about a competition's data before hours are spent on it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config import Experiment
from pipeline.data.catalog import Catalog
from pipeline.data.inspection import NEXT_NOTE, Record
from pipeline.data.listing import listed
from pipeline.data.masks.registry import mask_format
from pipeline.data.names import oddities, runs_as_formula
from pipeline.errors import DataError
from pipeline.metrics import scores_objects
from pipeline.submission.registry import plan_submission

_SHOWN = 5  # problems of one kind


@dataclass(frozen=True)
class Finding:
    """One problem: an error stops the pipeline, a warning does not."""

    severity: Literal["error", "warning"]
    subject: str
    text: str
    count: int = 1
    """How many problems it stands for."""


def find_problems(
    catalog: Catalog,
    records: Sequence[Record],
    groups: dict[str, str] | DataError,
    experiment: Experiment,
) -> list[Finding]:
    """Every problem, errors first; each names the id, file or key it is about.

    groups: id → group, or why there are none.
    """
    findings = [
        *_unreadable(records),
        *_identity_problems(catalog, records),
        *_odd_ids(catalog),
        *_reference_problems(catalog, experiment),
        *_group_problems(groups, experiment),
        *_mask_problems(catalog, records, experiment),
        *_twins(records, {} if isinstance(groups, DataError) else groups),
        *_submission_problems(catalog, experiment),
        *_weight_problems(experiment),
        *_metric_problems(experiment),
        *_oddities(records),
    ]
    return sorted(findings, key=lambda finding: finding.severity)


def _unreadable(records: Sequence[Record]) -> Iterator[Finding]:
    """The first few samples with each kind of problem in full, and the ids of the others."""
    kinds: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.problem:
            kinds[record.part, _kind(record)].append(record)
    for (part, _), alike in kinds.items():
        shown = alike if len(alike) == _SHOWN + 1 else alike[:_SHOWN]
        for record in shown:
            yield Finding("error", f"{part} {record.id}", record.problem)
        if more := [record.id for record in alike[len(shown) :]]:
            yield Finding("error", f"{part} {listed(more)}", "the same as above", len(more))


def _kind(record: Record) -> str:
    """The problem without what differs from sample to sample: its id, and numbers."""
    name = rf"(?<![A-Za-z]){re.escape(record.id)}(?![A-Za-z])"
    return re.sub(r"\d+", "0", re.sub(name, "", record.problem))


def _identity_problems(catalog: Catalog, records: Sequence[Record]) -> Iterator[Finding]:
    for sample_id in catalog.duplicates:
        yield Finding("error", sample_id, "several images have this id; keep one of them")
    pictures = {(record.part, record.id): record.picture for record in records}
    shared = sorted(set(catalog.by_id["train"]) & set(catalog.by_id["test"]))
    same = [each for each in shared if pictures["train", each] == pictures["test", each]]
    if same:
        yield Finding(
            "error",
            "data.test",
            f"{len(same)} image(s) are in train and in test: {listed(same)}; "
            "mend the patterns, or list them in data.drop to train without them",
        )
    if len(shared) > len(same):
        others = [each for each in shared if each not in set(same)]
        yield Finding(
            "warning", "data.test", f"train and test call other pictures alike: {listed(others)}"
        )


def _odd_ids(catalog: Catalog) -> Iterator[Finding]:
    for samples, key in ((catalog.train, "data.images"), (catalog.test, "data.test")):
        for text in oddities(sample.id for sample in samples):
            yield Finding("warning", key, f"ids: {text}")


def _reference_problems(catalog: Catalog, experiment: Experiment) -> Iterator[Finding]:
    data = experiment.data
    for samples, key in ((catalog.train, "reference"), (catalog.test, "test_reference")):
        if data.reference is None or (key == "test_reference" and data.test is None):
            continue
        missing = [sample.id for sample in samples if sample.reference is None]
        if missing:
            text = f"no reference for {listed(missing)}"
            if experiment.align.missing == "error":
                remedy = "add them, or set align.missing: image to see those images alone"
                yield Finding("error", f"data.{key}", f"{text}; {remedy}")
            else:
                yield Finding("warning", f"data.{key}", f"{text}: seen beside a blank one")


def _group_problems(
    groups: dict[str, str] | DataError, experiment: Experiment
) -> Iterator[Finding]:
    if isinstance(groups, DataError):
        yield Finding("error", "data.group", str(groups).removeprefix("data.group: "))
        return
    count, folds = len(set(groups.values())), experiment.folds.count
    if count < folds:
        yield Finding(
            "error",
            "folds.count",
            f"{folds} folds need {folds} groups, the data has {count}; set folds.count ≤ {count}"
            if count > 1
            else "one group (or one image) cannot be split; add data",
        )


def _mask_problems(
    catalog: Catalog, records: Sequence[Record], experiment: Experiment
) -> Iterator[Finding]:
    if catalog.masks_without_image:
        yield Finding(
            "warning", "data.masks", f"masks of no image: {listed(catalog.masks_without_image)}"
        )
    train = [record for record in records if record.part == "train" and not record.problem]
    yield from _palette_problems(train)
    if train:
        yield from _class_problems(train, experiment)
    if catalog.dropped_in_vain:
        text = f"no training image is called {listed(catalog.dropped_in_vain)}"
        yield Finding("warning", "data.drop", text)


def _palette_problems(train: Sequence[Record]) -> Iterator[Finding]:
    """An index that has one colour here and another there does not tell the class."""
    first: dict[str, tuple[str, str]] = {}
    for record in train:
        for index, colour in (each.split(" ") for each in record.colours.split(", ") if each):
            known, where = first.setdefault(index, (colour, record.id))
            if known != colour:
                yield Finding(
                    "error",
                    "data.masks",
                    f"palettes differ: index {index} is {known} in the mask of {where} and "
                    f"{colour} in that of {record.id}, so that indices do not tell the class; "
                    "save the masks as gray values",
                )
                return


def _submission_problems(catalog: Catalog, experiment: Experiment) -> Iterator[Finding]:
    data = experiment.data
    if data.test is not None and not catalog.test:
        remedy = "mend the pattern, or set data.test: null for cross-validation only"
        yield Finding("error", "data.test", f"no file matches {data.root / data.test}; {remedy}")
    if not catalog.test:
        return
    yield from _order_problems(experiment)
    try:
        ids = [sample.id for sample in catalog.test]
        rows = plan_submission(experiment, ids).rows
    except DataError as error:
        yield Finding("error", "submission", str(error))
        return
    formulas = [row.key for row in rows if runs_as_formula(row.key) and not runs_as_formula(row.id)]
    if formulas:
        text = f"spreadsheets run these keys as formulas: {listed(formulas)}"
        yield Finding("warning", "submission.key", text)


def _order_problems(experiment: Experiment) -> Iterator[Finding]:
    """What a competition has one way in what it gives, it mostly wants that way, too."""
    for key, ours in mask_format(experiment.data).conventions.items():
        theirs = getattr(experiment.submission, key)
        if ours != theirs:
            text = f"is {theirs}, and data.masks.{key} is {ours}; most competitions have it one way"
            yield Finding("warning", f"submission.{key}", text)


def _weight_problems(experiment: Experiment) -> Iterator[Finding]:
    for name, model in experiment.models.items():
        if model.weights not in (None, "pretrained") and not Path(model.weights).exists():
            text = f"there is no file or folder {model.weights}"
            yield Finding("error", f"models.{name}.weights", text)


def _metric_problems(experiment: Experiment) -> Iterator[Finding]:
    metric = experiment.metric_name
    if scores_objects(metric) and not experiment.data.has_objects:
        yield Finding(
            "error",
            "metric",
            f"{metric} scores objects, and data.masks does not tell them apart: give a file an "
            "object (masks/{id}/*.png) or a row an object (instances: true), or choose a metric of "
            "pixels such as dice",
        )


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
                "is in no mask; mend its name in data.classes, or remove it",
            )
        elif len(holders) < folds:
            text = f"is in {len(holders)} image(s), fewer than the {folds} folds: {listed(holders)}"
            yield Finding("warning", f"class {name}", text)


def _twins(records: Sequence[Record], groups: dict[str, str]) -> Iterator[Finding]:
    """The same picture in two groups leaks from fold to fold; in train and test, to the test."""
    same: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.picture:
            same[record.picture].append(record)
    for twins in same.values():
        train = [record.id for record in twins if record.part == "train"]
        test = [record.id for record in twins if record.part == "test"]
        if len({groups[each] for each in train if each in groups}) > 1:
            text = f"is the same picture as {listed(train[1:])}, in another group: a leak of folds"
            yield Finding("warning", train[0], text)
        if train and set(test) - set(train):
            text = f"is the same picture as {listed(test)} in test, whose truth is known by that"
            yield Finding("warning", train[0], text)


def _oddities(records: Sequence[Record]) -> Iterator[Finding]:
    notes = Counter(note for record in records for note in record.note.split(NEXT_NOTE) if note)
    for note, count in sorted(notes.items()):
        ids = [record.id for record in records if note in record.note.split(NEXT_NOTE)]
        yield Finding("warning", f"{count} image(s)", f"{note}: {listed(ids, most=2)}")
