"""submit: writes the blended test maps in the competition's format."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.atomic_files import write_atomic
from pipeline.atomic_folders import content_checksum
from pipeline.ensemble.members import check_members, reader_of
from pipeline.ensemble.recipe import BlendInput
from pipeline.errors import DataError
from pipeline.manifests import fingerprint
from pipeline.stages import align, check, ensemble, infer
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.parts import summed_maps
from pipeline.stages.parts.notes import SCORE, Note, note_of, note_text, read_note, says
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.registry import plan_submission, submission_suffix


@once
def run(context: StageContext) -> Path:
    """The submission's path; its label is the start of its fingerprint, so none is overwritten."""
    survey, ensembled = check.run(context), ensemble.run(context)
    if not survey.of("test"):
        raise DataError("there are no test images (data.test), so nothing can be submitted")
    test = _test_maps(context)
    started = time.monotonic()
    made_from = _fingerprint(context, survey, test, ensembled)
    suffix = submission_suffix(context.experiment)
    path = context.workspace.submission(made_from[:8], suffix)
    with context.exclusive("submit"):
        note = read_note(note_of(path))
        if _is_whole(path, note, made_from, ensembled):
            context.up_to_date("submit", path)
            return path
        planned = plan_submission(context.experiment, [each.id for each in survey.of("test")])
        images = list(dict.fromkeys(row.id for row in planned.rows))
        test.check(images)
        reader, samples = align.run(context), survey.catalog.by_id["test"]
        decisions = SubmittedDecisions(
            ensembled.recipe,
            test.read,
            lambda each: survey.sizes["test", each],
            lambda each: reader.picture(samples[each]),
        )
        with context.reporter.track("submit", len(images)) as advance:
            written = planned.write(path, decisions, advance)
        _warn_of_uniform(context, written)
        _write_note(context, path, _facts(path, made_from, ensembled, written.rows), note)
    what = "row" if path.suffix == ".csv" else "mask"
    made = f"{written.rows} {what}(s) of {len(images)} image(s)"
    context.done("submit", made, path, started)
    return path


@dataclass(frozen=True)
class _TestMaps:
    """read(id): what the recipe decides a test image from, once `check(ids)` has raised nothing."""

    content: str | dict[str, str]
    check: Callable[[Iterable[str]], None]
    read: Callable[[str], BlendInput]


def _test_maps(context: StageContext) -> _TestMaps:
    """Each model's own maps, or their summed_maps."""
    if context.experiment.ensemble.accumulate:
        summed = summed_maps.run(context)
        return _TestMaps(summed.content, lambda _: None, summed_maps.reader_of(summed))
    stores = infer.run(context).test
    content = {name: store.content for name, store in stores.items()}
    return _TestMaps(content, partial(check_members, stores), reader_of(stores))


def _fingerprint(
    context: StageContext, survey: Survey, test: _TestMaps, ensembled: Ensembled
) -> str:
    submission, root = context.experiment.submission, context.experiment.data.root
    sample = root / submission.sample if submission.sample else None
    if sample is not None and not sample.exists():
        raise DataError(f"submission.sample: there is no {sample}")
    copied = submission.copied_from
    return fingerprint(
        "submit/2",
        submission,
        content_checksum(sample) if sample else None,
        ensembled.fingerprint,
        test.content,
        survey.fingerprint("test"),
        *([content_checksum(root / copied.csv)] if copied else []),
    )


def _is_whole(path: Path, note: Note, made_from: str, ensembled: Ensembled) -> bool:
    """True if the submission exists and its note is up to date."""
    rows = note.facts.get("rows")
    return (
        path.exists() and type(rows) is int and says(note, _facts(path, made_from, ensembled, rows))
    )


def _warn_of_uniform(context: StageContext, written: Written) -> None:
    for plane, what in written.uniform.items():
        name = context.experiment.data.class_names[plane]
        context.reporter.warn(f"submit: {name} is {what} on every test image")


def _write_note(context: StageContext, path: Path, facts: dict[str, Any], old: Note) -> None:
    """Write the note, with what a person had added to the old one."""
    beside = note_of(path)
    if old.damage:
        kept = f" with its {SCORE}: {old.facts[SCORE]}" if SCORE in old.facts else ""
        context.reporter.warn(f"{beside}: {old.damage}; it is rewritten{kept}")
        if content := beside.read_bytes().strip():  # in which a person may have written more
            write_atomic(beside.with_name(f"{beside.name}.damaged"), content + b"\n")
    write_atomic(beside, note_text(facts, old))


def _facts(path: Path, made_from: str, ensembled: Ensembled, rows: int) -> dict[str, Any]:
    """The facts beside a submission: its inputs and its expected score."""
    chosen = ("metric", "mean", "weights", "thresholds", "postprocess", "score")
    return {
        "fingerprint": made_from,
        "checksum": content_checksum(path),
        "rows": rows,
        **{key: ensembled.facts[key] for key in chosen},
    }
