"""submit: the blended test maps as rows that the competition takes."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import file_checksum, write_atomic
from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.members import check_members, reader_of
from pipeline.ensemble.postprocessing.instances import connected_instances
from pipeline.ensemble.recipe import Maps, Recipe
from pipeline.errors import DataError
from pipeline.manifests import fingerprint
from pipeline.reporting import Advance
from pipeline.stages import check, ensemble, infer
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.parts import summed_maps
from pipeline.stages.parts.notes import SCORE, Note, note_of, note_text, read_note, says
from pipeline.submission.rows import Header, Row, plan_rows
from pipeline.submission.table import write_checked

Runs = NDArray[np.int64]


@once
def run(context: StageContext) -> Path:
    """The submission's path; its label is the start of its fingerprint, so none is overwritten."""
    survey, ensembled = check.run(context), ensemble.run(context)
    if not survey.of("test"):
        raise DataError("there are no test images (data.test), so there is nothing to submit")
    test = _test_maps(context)
    started = time.monotonic()
    made_from = _fingerprint(context, survey, test, ensembled)
    path = context.workspace.submission(made_from[:8])
    with context.exclusive("submit"):
        note = read_note(note_of(path))
        if _is_whole(path, note, made_from, ensembled):
            context.up_to_date("submit", path)
            return path
        rows, header = plan_rows(
            context.experiment.submission,
            context.experiment.data.root,
            [record.id for record in survey.of("test")],
            context.experiment.data.class_names,
        )
        written = _write(context, survey, test, ensembled.recipe, rows, header, path)
        _write_note(context, path, _facts(path, made_from, ensembled, written), note)
    images = len({row.id for row in rows})
    context.done("submit", f"{written} row(s) of {images} image(s)", path, started)
    return path


@dataclass(frozen=True)
class _TestMaps:
    """read(id): what the recipe decides a test image from, once `check(ids)` has raised nothing."""

    content: str | dict[str, str]
    check: Callable[[Iterable[str]], None]
    read: Callable[[str], Maps]


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
    if sample is not None and not sample.is_file():
        raise DataError(f"submission.sample: there is no {sample}")
    return fingerprint(
        "submit/2",
        submission,
        file_checksum(sample) if sample else None,
        ensembled.fingerprint,
        test.content,
        survey.fingerprint("test"),
    )


def _is_whole(path: Path, note: Note, made_from: str, ensembled: Ensembled) -> bool:
    """Whether the submission is there, and its note says what it would say of it."""
    rows = note.facts.get("rows")
    return (
        path.is_file()
        and type(rows) is int
        and says(note, _facts(path, made_from, ensembled, rows))
    )


def _write_note(context: StageContext, path: Path, facts: dict[str, Any], old: Note) -> None:
    """Write the note, with what a person had added to the old one."""
    beside = note_of(path)
    if old.damage:
        kept = f" with its {SCORE}: {old.facts[SCORE]}" if SCORE in old.facts else ""
        context.reporter.warn(f"{beside}: {old.damage}; it is written anew{kept}")
    write_atomic(beside, note_text(facts, old))


def _write(
    context: StageContext,
    survey: Survey,
    test: _TestMaps,
    recipe: Recipe,
    rows: Sequence[Row],
    header: Header,
    path: Path,
) -> int:
    """Write the submission; returns how many rows it has."""
    settings = context.experiment.submission
    test.check(dict.fromkeys(row.id for row in rows))

    def runs_of_image(each: str) -> list[Sequence[Runs]]:
        return _runs_of_image(recipe, test.read(each), settings)

    def size_of(each: str) -> tuple[int, int]:
        return settings.size or survey.sizes["test", each]

    def in_order(advance: Advance) -> Iterator[Sequence[Runs]]:
        """The runs of row after row; rows of one image that follow each other share a decision."""
        images = [(each, list(of_it)) for each, of_it in groupby(rows, lambda row: row.id)]
        decided = ordered(runs_of_image, [each for each, _ in images])
        for (_, of_it), runs in zip(images, decided, strict=True):
            yield from (runs[row.plane] for row in of_it)
            advance(1)

    kinds: dict[int, Counter[str]] = defaultdict(Counter)
    with context.reporter.track("submit", len({row.id for row in rows})) as advance:
        runs = in_order(advance)

        def next_runs(row: Row) -> Sequence[Runs]:
            found = next(runs)
            kinds[row.plane][_kind(found, size_of(row.id))] += 1
            return found

        written = write_checked(path, header, rows, next_runs, settings, size_of)
    for plane, seen in sorted(kinds.items()):
        if len(seen) == 1 and "mask" not in seen:
            what, name = next(iter(seen)), context.experiment.data.class_names[plane]
            context.reporter.warn(f"submit: {name} is {what} on every test image")
    return written


def _kind(runs: Sequence[Runs], size: tuple[int, int]) -> str:
    covered = sum(int(each[:, 1].sum()) for each in runs)
    return "empty" if not covered else "everywhere" if covered == size[0] * size[1] else "mask"


def _runs_of_image(recipe: Recipe, maps: Maps, settings: SubmissionConfig) -> list[Sequence[Runs]]:
    """For each class, the runs of each of its rows (one, or one an instance)."""
    if settings.rows != "instance" and settings.size is None:
        runs = recipe.runs(maps, settings.order)
        if runs is not None:
            return [[each] for each in runs]
    decision = recipe.decide(maps)
    if settings.rows == "instance":
        planes = [list(_objects(labels, settings.size)) for labels in connected_instances(decision)]
    else:
        planes = [[_resized(plane, settings.size)] for plane in decision]
    return [[rle.runs_of(mask, settings.order) for mask in masks] for masks in planes]


def _objects(
    labels: NDArray[np.int32], size: tuple[int, int] | None
) -> Iterator[NDArray[np.bool_]]:
    """The objects at the size they are sent in: first told apart, then resized, since the line
    between two that touch is thinner than a pixel of a smaller image. They stay disjoint, because
    a pixel goes to whom more than half of it belongs.
    """
    for number in range(1, int(labels.max(initial=0)) + 1):
        mask = _resized(np.asarray(labels == number), size)
        if mask.any():
            yield mask


def _resized(plane: NDArray[np.bool_], size: tuple[int, int] | None) -> NDArray[np.bool_]:
    if size is None:
        return plane
    full = plane.view(np.uint8) * np.uint8(255)
    shrunk = cv2.resize(full, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk >= 128)


def _facts(path: Path, made_from: str, ensembled: Ensembled, rows: int) -> dict[str, Any]:
    """What stands beside a submission: what it was made of and what it is thought to be worth."""
    chosen = ("metric", "mean", "weights", "thresholds", "postprocess", "score")
    return {
        "fingerprint": made_from,
        "checksum": file_checksum(path),
        "rows": rows,
        **{key: ensembled.facts[key] for key in chosen},
    }
