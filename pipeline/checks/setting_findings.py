"""Settings that do not fit the data: references, groups, submission, weights, metric."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pipeline.checks.finding import Finding
from pipeline.config import Experiment, SubmissionConfig
from pipeline.data.catalog import Catalog
from pipeline.data.listing import enumerated, listed
from pipeline.data.masks.registry import mask_format
from pipeline.data.names import runs_as_formula
from pipeline.errors import DataError
from pipeline.metrics import scores_objects
from pipeline.submission.format import SubmissionFormat
from pipeline.submission.registry import plan_submission, submission_suffix


def reference_problems(catalog: Catalog, experiment: Experiment) -> Iterator[Finding]:
    """Images without the reference that the experiment requires."""
    data = experiment.data
    for samples, key in ((catalog.train, "reference"), (catalog.test, "test_reference")):
        if data.reference is None or (key == "test_reference" and data.test is None):
            continue
        missing = [sample.id for sample in samples if sample.reference is None]
        if missing:
            text = f"no reference image for {listed(missing)}"
            if experiment.align.missing == "error":
                remedy = "add them, or set align.missing: image to use a blank reference"
                yield Finding("error", f"data.{key}", f"{text}; {remedy}")
            else:
                yield Finding("warning", f"data.{key}", f"{text}: a blank one is used")


def group_problems(groups: dict[str, str] | DataError, experiment: Experiment) -> Iterator[Finding]:
    """Groups that cannot be read or are fewer than the folds."""
    if isinstance(groups, DataError):
        yield Finding("error", "data.group", str(groups).removeprefix("data.group: "))
        return
    yield from _same_numbers(groups)
    count, folds = len(set(groups.values())), experiment.folds.count
    if count < folds:
        yield Finding(
            "error",
            "folds.count",
            f"{folds} folds need {folds} groups, the data has {count}; set folds.count ≤ {count}"
            if count > 1
            else "one group (or one image) cannot be split; add data",
        )


def _same_numbers(groups: dict[str, str]) -> Iterator[Finding]:
    """Groups 1 and 1.0, or 7 and 007: programs that took a table's cells for numbers write so."""
    alike: dict[float, set[str]] = defaultdict(set)
    for each in set(groups.values()):
        if re.fullmatch(r"\d{1,15}(\.0*)?", each):
            alike[float(each)].add(each)
    if twice := sorted(sorted(names) for names in alike.values() if len(names) > 1):
        shown = enumerated([" and ".join(map(repr, names)) for names in twice], most=2)
        text = (
            f"{len(twice)} number(s) are written in several ways, as groups of their own: {shown}"
        )
        yield Finding("warning", "data.group", text)


def submission_problems(catalog: Catalog, experiment: Experiment) -> Iterator[Finding]:
    """Test images that are missing, or are not what the sample file asks for."""
    data = experiment.data
    if data.test is not None and not catalog.test:
        remedy = "fix the pattern, or set data.test: null for cross-validation only"
        first = data.root / data.of_first_file(data.test)
        yield Finding("error", "data.test", f"no file matches {first}; {remedy}")
    if not catalog.test:
        return
    yield from _order_problems(experiment)
    try:
        ids = [sample.id for sample in catalog.test]
        planned = plan_submission(experiment, ids)
    except DataError as error:
        yield Finding("error", "submission", str(error))
        return
    if submission_suffix(experiment) == ".csv":
        yield from _formulas(planned, experiment.submission)


def _formulas(planned: SubmissionFormat, settings: SubmissionConfig) -> Iterator[Finding]:
    """Cells of the file, other than ids, that a spreadsheet runs; ids are told with all others."""
    keys = [row.key for row in planned.rows if not runs_as_formula(row.id)]
    cells = {
        "submission.key": keys,
        "submission.class": [row.class_name for row in planned.rows],
        "submission.columns": []
        if settings.sample
        else [*settings.columns, *settings.more_columns],
    }
    for key, texts in cells.items():
        if formulas := [text for text in dict.fromkeys(texts) if runs_as_formula(text)]:
            text = f"spreadsheets run these cells as formulas: {listed(formulas)}"
            yield Finding("warning", key, text)


def _order_problems(experiment: Experiment) -> Iterator[Finding]:
    """Conventions that differ between the given masks and the submission."""
    if experiment.submission.format != "rle":
        return
    for key, ours in mask_format(experiment.data).conventions.items():
        theirs = getattr(experiment.submission, key)
        if ours != theirs:
            text = (
                f"is {theirs}, and data.masks.{key} is {ours}; most competitions use one for both"
            )
            yield Finding("warning", f"submission.{key}", text)


def weight_problems(experiment: Experiment) -> Iterator[Finding]:
    """Missing files of starting weights."""
    for name, model in experiment.models.items():
        if model.weights not in (None, "pretrained") and not Path(model.weights).exists():
            text = f"there is no file or folder {model.weights}"
            yield Finding("error", f"models.{name}.weights", text)


def metric_problems(experiment: Experiment) -> Iterator[Finding]:
    """A metric of objects where masks do not tell objects apart."""
    metric = experiment.metric_name
    if scores_objects(metric) and not experiment.data.has_objects:
        yield Finding(
            "error",
            "metric",
            f"{metric} scores objects, and data.masks does not tell them apart: give one file per "
            "object (masks/{id}/*.png), one row per object (instances: true), annotations or a "
            "label_map, or choose a metric of pixels such as dice",
        )
