"""align: aligns every reference with its image; does nothing without references."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from pipeline.alignment import VERSION, Alignment, align, no_alignment, warp_reference
from pipeline.atomic_files import stream_atomic, write_atomic
from pipeline.config import AlignSettings
from pipeline.data.catalog import Part, Sample
from pipeline.data.image_sources.registry import image_source
from pipeline.data.image_sources.source import ImageSource
from pipeline.data.inspection import PARTS
from pipeline.data.samples import SampleReader, aligned_path
from pipeline.execution.executor import Job, JobContext
from pipeline.manifests import (
    NamedFile,
    fingerprint,
    is_fresh,
    named_files,
    read_manifest,
    write_manifest,
)
from pipeline.stages import check
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, once

PAIRS_A_JOB = 16


@dataclass(frozen=True)
class AlignJob:
    """A few pairs; stamps: what each pair's result is made from."""

    samples: tuple[Sample, ...]
    stamps: tuple[str, ...]
    settings: AlignSettings
    folder: Path
    source: ImageSource


@once
def run(context: StageContext) -> SampleReader:
    """The reader of samples with their aligned references, if there are any."""
    data, workspace = context.experiment.data, context.workspace
    if data.reference is None:
        if context.asked == "align":
            context.reporter.say("align: nothing to do, since the experiment has no data.reference")
        return SampleReader(data)
    survey = check.run(context)
    started = time.monotonic()
    folder = workspace.aligned_references
    reader = SampleReader(data, folder)
    with context.exclusive("align"):
        made_from = fingerprint([fingerprint_of(context, part) for part in PARTS])
        fresh = is_fresh(workspace.alignment_manifest, made_from)
        if not fresh:
            jobs = _jobs(context, survey)
            context.run_jobs("align", [Job(name, align_pairs, (job,)) for name, job in jobs])
            table = _table(survey, folder, reader.source)
            write_atomic(workspace.alignment, table.to_csv(index=False))
            pictures = _pictures(survey, folder, reader.source)
            write_manifest(workspace.alignment_manifest, made_from, [workspace.alignment], pictures)
    if fresh:
        context.up_to_date("align", workspace.alignment)
    else:
        flagged = int((table["status"] != "ok").sum())
        made = f"{len(table)} references aligned, {flagged} flagged"
        context.done("align", made, workspace.alignment, started)
    return reader


def fingerprint_of(context: StageContext, part: Part) -> str | None:
    """Fingerprint of the aligned references of a part; None without references."""
    if context.experiment.data.reference is None:
        return None
    return fingerprint(settings_of(context), check.run(context).fingerprint(part))


def settings_of(context: StageContext) -> str | None:
    """Inputs of aligned references besides the bytes of their pairs; None without references."""
    data = context.experiment.data
    if data.reference is None:
        return None
    read = [*data.band_settings, data.show] if data.bands is not None else []
    return fingerprint(VERSION, context.experiment.align, *read)


def _jobs(context: StageContext, survey: Survey) -> list[tuple[str, AlignJob]]:
    settings, folder = context.experiment.align, context.workspace.aligned_references
    source, rules = image_source(context.experiment.data), settings_of(context)
    samples = [sample for part in PARTS for sample in survey.catalog.by_id[part].values()]
    jobs = []
    for start in range(0, len(samples), PAIRS_A_JOB):
        chosen = tuple(samples[start : start + PAIRS_A_JOB])
        stamps = tuple(fingerprint(rules, survey.digests[each.part, each.id]) for each in chosen)
        job = AlignJob(chosen, stamps, settings, folder, source)
        jobs.append((f"align {start}", job))
    return jobs


def align_pairs(job: AlignJob, context: JobContext) -> None:
    """Align each pair that is not aligned yet: the image, then the note that it is complete."""
    cv2.setNumThreads(1)
    pairs = zip(job.samples, job.stamps, strict=True)
    with threadpool_limits(1):  # NumPy's BLAS would take every core for every job
        for number, (sample, stamp) in enumerate(pairs, start=1):
            picture = aligned_path(job.folder, sample, job.source)
            if not is_fresh(picture.with_suffix(".json"), stamp):
                _align_pair(sample, stamp, job, picture)
            context.progress.update(number, len(job.samples))
            context.stop.check()


def _align_pair(sample: Sample, stamp: str, job: AlignJob, picture: Path) -> None:
    source = job.source
    image = source.read(sample.image)
    if sample.reference is None:
        found, aligned = no_alignment("no reference"), np.full_like(image, source.blank)
    else:
        reference = source.read(sample.reference)
        found = align(source.shown(image), source.shown(reference), job.settings)
        aligned = warp_reference(reference, found.warp, (image.shape[0], image.shape[1]))
    stream_atomic(picture, lambda stream: source.write(aligned, stream))
    write_manifest(picture.with_suffix(".json"), stamp, [picture], **_facts(found))


def _facts(found: Alignment) -> dict[str, Any]:
    matrix = {f"w{row}{column}": float(found.warp[row, column])
              for row in range(3) for column in range(3)}  # fmt: skip
    return {
        "status": found.status,
        "motion": found.motion,
        "cc_before": float(found.cc_before),
        "cc_after": float(found.cc_after),
        "corner_px": float(found.corner_px),
        "seconds": round(float(found.seconds), 3),
        **matrix,
    }


def _pictures(survey: Survey, folder: Path, source: ImageSource) -> dict[Path, NamedFile]:
    """The aligned references as their own notes name them, so that they are not read again."""
    samples = [*survey.catalog.train, *survey.catalog.test]
    notes = [aligned_path(folder, sample, source).with_suffix(".json") for sample in samples]
    return {path: file for note in notes for path, file in named_files(note).items()}


def _table(survey: Survey, folder: Path, source: ImageSource) -> pd.DataFrame:
    """`id,part,status,motion,cc_before,cc_after,corner_px,seconds,w00…w22`, a row a pair."""
    samples = [*survey.catalog.train, *survey.catalog.test]
    return pd.DataFrame(_rows(samples, folder, source))


def _rows(samples: Sequence[Sample], folder: Path, source: ImageSource) -> list[dict[str, Any]]:
    rows = []
    for sample in samples:
        note = read_manifest(aligned_path(folder, sample, source).with_suffix(".json")) or {}
        facts = {key: value for key, value in note.items() if key not in ("fingerprint", "files")}
        rows.append({"id": sample.id, "part": sample.part, **facts})
    return rows
