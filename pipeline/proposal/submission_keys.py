"""Proposes the keys of the `submission` block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.proposal.findings import Alternative, Found
from pipeline.proposal.layout import Layout
from pipeline.proposal.samples import Sample


def propose_submission(layout: Layout, classes: Sequence[str], order: Found) -> Iterator[Found]:
    """`sample`, `columns`, `rows`, `key` … of a submission of these classes."""
    sample = layout.sample
    usable = sample if sample is not None and _fits(sample, classes) else None
    if usable is not None:
        yield from _as_in_sample(usable, layout)
    else:
        yield from _without_sample(sample, classes, layout)
    yield order
    if layout.rows is not None and layout.rows.is_relative:
        yield Found(
            "relative", True, f"the runs of {layout.rows.table.path} are relative", "likely"
        )


def _fits(sample: Sample, classes: Sequence[str]) -> bool:
    by_class = sample.rows == "class"
    named = set(sample.classes) == set(classes)
    return named if by_class else len(classes) == 1


def _as_in_sample(sample: Sample, layout: Layout) -> Iterator[Found]:
    path = sample.table.path
    known = f"its keys are those of the test images{sample.keys.said_share}"
    yield Found("sample", path, known, "sure" if sample.keys.share == 1 else "likely")
    yield Found("columns", sample.columns, "its header")
    rows = sample.rows
    several = "images have several rows in it" if rows == "instance" else "one row an image in it"
    objects = (Alternative("instance", "one row an object"),) if _has_objects(layout, rows) else ()
    why = "one row an image and class in it" if rows == "class" else several
    yield Found("rows", rows, why, "likely" if objects else "sure", objects)
    if sample.keys.form != "{id}" or rows == "class":
        yield Found("key", sample.keys.form, "so its keys look")
    if sample.class_column:
        yield Found("class", sample.class_column, "this column names the class")
    if sample.copied:
        yield Found("copied", sample.copied, "its other columns, whose cells are kept", "likely")
    if sample.empty:
        yield Found("empty", sample.empty, "what stands in it everywhere", "likely")


def _has_objects(layout: Layout, rows: str) -> bool:
    several = layout.pair is not None and not layout.pair.masks.one_each
    told = layout.rows is not None and layout.rows.has_objects
    return rows == "image" and (several or told) and not (layout.pair and layout.pair.masks.classes)


def _without_sample(
    sample: Sample | None, classes: Sequence[str], layout: Layout
) -> Iterator[Found]:
    odd = [each for each in layout.tables if each.is_sample]
    if sample is not None:
        path = sample.table.path
        why = f"{path} does not ask for a row an image and class of these classes"
        yield Found("sample", None, why, "guess", (Alternative(path, "if it is to be used"),))
        yield Found("columns", sample.columns, f"the header of {path}", "likely")
    elif odd and len(odd[0].header) == 2:
        whose = (
            "the test images that were found" if layout.test else "test images, which are missing"
        )
        why = f"{odd[0].path} does not name {whose}"
        yield Found("sample", None, why, "guess", (Alternative(odd[0].path, "if it is right"),))
        yield Found("columns", list(odd[0].header), f"the header of {odd[0].path}", "likely")
    else:
        why = "no sample submission was found; edit what follows as the competition asks"
        yield Found("columns", ["id", "rle_mask"], why, "guess")
    if len(classes) > 1:
        reason = "several classes need a row for each"
        yield Found("rows", "class", reason, "guess")
        yield Found("key", "{id}_{class}", reason, "guess")
