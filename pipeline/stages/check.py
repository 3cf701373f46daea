"""check: inspects the data and lists its problems, before hours are spent on training."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.atomic_files import write_atomic
from pipeline.checks.file_findings import file_problems
from pipeline.checks.finding import Finding
from pipeline.checks.findings import find_problems
from pipeline.checks.misreadings import find_misreadings, needs_choice
from pipeline.checks.unmatched_files import find_unusable, near_misses
from pipeline.checks.volume_findings import shape_problems, spacing_problems, volume_facts
from pipeline.config import DataConfig, FrameConfig
from pipeline.data.catalog import Catalog, NoImagesError, Part, Sample, list_samples
from pipeline.data.groups import groups_or_error
from pipeline.data.image_sources.registry import image_source
from pipeline.data.inspection import (
    PARTS,
    VERSION,
    Record,
    as_row,
    from_row,
    inspect,
)
from pipeline.data.listing import listed
from pipeline.data.masks.registry import mask_format
from pipeline.data.names import refuse_unwritable
from pipeline.data.stamps import Stamps, stat_of
from pipeline.data.tables import read_own_table
from pipeline.data.volume_masks import mask_rules
from pipeline.errors import ArtefactError, DataError
from pipeline.manifests import fingerprint, is_as_written, is_fresh, read_manifest, write_manifest
from pipeline.stages import demo
from pipeline.stages.context import StageContext, once
from pipeline.stages.parts.starting_weights import misfits
from pipeline.stages.parts.step_misfits import step_misfits


@dataclass(frozen=True)
class Survey:
    """The competition's samples and what was found in them."""

    catalog: Catalog
    records: tuple[Record, ...]
    groups: dict[str, str]

    def of(self, part: Part) -> list[Record]:
        return [record for record in self.records if record.part == part]

    def samples(self, part: Part, ids: Sequence[str]) -> tuple[Sample, ...]:
        return tuple(self.catalog.by_id[part][each] for each in ids)

    @cached_property
    def sizes(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(part, id) → height, width."""
        return {(each.part, each.id): (each.height, each.width) for each in self.records}

    @cached_property
    def digests(self) -> dict[tuple[str, str], str]:
        """(part, id) → hash of the bytes of the sample's image, reference and mask."""
        return {(each.part, each.id): each.digest for each in self.records}

    def fingerprint(self, part: Part, ids: Iterable[str] | None = None) -> str:
        """Changes with any byte of that part's images and masks, or of those named alone."""
        chosen = [record.id for record in self.of(part)] if ids is None else sorted(ids)
        return fingerprint([(each, self.digests[part, each]) for each in chosen])


@once
def run(context: StageContext) -> Survey:
    """Read everything that is new or changed; DataError when something must be fixed first."""
    demo.run(context)
    started = time.monotonic()
    experiment, workspace = context.experiment, context.workspace
    catalog = _samples(experiment.data)
    refuse_unwritable(catalog, experiment.data)
    groups = groups_or_error(catalog, experiment.data)
    with context.exclusive("check"):
        records, is_new = _records(context, catalog)
    planned = _planned_from(context, catalog)
    # A sample of a million rows takes seconds to read, so a known one is not read again.
    known = is_fresh(workspace.sample_manifest, planned)
    findings = find_problems(
        catalog,
        records,
        groups,
        experiment,
        sample=is_new or context.asked == "check" or not known,
    )
    if not known and not any(finding.severity == "error" for finding in findings):
        write_manifest(workspace.sample_manifest, planned)
    named = {} if isinstance(groups, DataError) else groups
    survey = Survey(catalog, tuple(records), named)
    if is_new or context.asked == "check" or needs_choice(records, experiment.data):
        findings += find_misreadings(catalog, records, experiment.data)
    if is_new or context.asked == "check":
        findings += _doubts(catalog, experiment.data)
        findings += file_problems(catalog, experiment.data)
        findings += step_misfits(context)
        volumes = volume_facts(catalog, experiment.data)
        findings += spacing_problems(volumes)
        findings += shape_problems(volumes, experiment.models)
        if volumes:
            columns = ["part", "volumes", "slices", "spacing (Z × Y × X)"]
            context.reporter.table("volumes", columns, [each.row for each in volumes])
        _show(context, survey, findings)
    _stop_on_errors(findings)
    _stop_on_errors(misfits(context))
    if is_new:
        made = f"{len(survey.of('train'))} train and {len(survey.of('test'))} test images read"
        context.done("check", made, workspace.index, started)
    else:
        context.up_to_date("check", workspace.index)
    return survey


def _planned_from(context: StageContext, catalog: Catalog) -> str:
    """Everything that the rows of a submission depend on."""
    experiment = context.experiment
    sample, copied = experiment.submission.sample, experiment.submission.copied_from
    return fingerprint(
        "sample/1",
        experiment.submission,
        stat_of(experiment.data.root / sample) if sample else None,
        experiment.data.test,
        experiment.data.class_names,
        [each.id for each in catalog.test],
        *([stat_of(experiment.data.root / copied.csv)] if copied else []),
    )


def _samples(data: DataConfig) -> Catalog:
    _stop_on_errors(find_unusable(data))
    try:
        return list_samples(data)
    except NoImagesError as error:
        there = near_misses(data)
        raise DataError(
            f"{error}; there is {listed(there, most=2)}" if there else str(error)
        ) from None


def _doubts(catalog: Catalog, data: DataConfig) -> list[Finding]:
    try:
        doubts = mask_format(data).doubts(catalog.by_id["train"])
    except DataError:
        return []  # the file itself is faulty, as every record says
    return [Finding("warning", "data.masks", text) for text in doubts]


def _records(context: StageContext, catalog: Catalog) -> tuple[list[Record], bool]:
    """The record of every sample, and whether any had to be made."""
    data, workspace = context.experiment.data, context.workspace
    looked = Stamps(data, image_source(data))
    stamps = [
        (part, each.id, looked.of(each, part))
        for part in PARTS
        for each in catalog.by_id[part].values()
    ]
    read = data.model_copy(update={"group": None, "drop": (), "frame": FrameConfig()})
    rules = fingerprint(VERSION, read, *mask_rules(data))
    current = fingerprint(rules, stamps)
    known = _known(workspace.index) if _is_usable(context, rules) else {}
    is_complete = all((part, sample_id) in known for part, sample_id, _ in stamps)
    if is_complete and is_fresh(workspace.index_manifest, current):
        return [known[part, sample_id] for part, sample_id, _ in stamps], False
    with context.reporter.track("check", len(stamps)) as advance:
        records = inspect(catalog, data, known, advance)
    table = pd.DataFrame([as_row(record) for record in records])
    write_atomic(workspace.index, table.to_csv(index=False))
    if any(record.problem for record in records):
        workspace.index_manifest.unlink(missing_ok=True)
    else:
        write_manifest(workspace.index_manifest, current, [workspace.index], rules=rules)
    return records, True


def _is_usable(context: StageContext, rules: str) -> bool:
    """True if the earlier records were made by the same rules, and are unchanged on disk."""
    index, manifest = context.workspace.index, context.workspace.index_manifest
    if (read_manifest(manifest) or {}).get("rules") != rules:
        return False
    if not is_as_written(index, manifest):
        context.reporter.warn(f"{index} is missing or was edited; every image is read again")
        return False
    return True


def _known(path: Path) -> dict[tuple[str, str], Record]:
    """The records of an earlier check; empty where they are missing or damaged."""
    try:
        rows: list[dict[str, str]] = read_own_table(path, ()).to_dict("records")  # type: ignore[assignment]
        records = [from_row(row) for row in rows]
    except (ArtefactError, ValueError, TypeError, KeyError):
        return {}
    return {(record.part, record.id): record for record in records}


def _show(context: StageContext, survey: Survey, findings: Sequence[Finding]) -> None:
    rows = [_summary(part, survey) for part in PARTS if survey.of(part)]
    context.reporter.table("data", ["part", "images", "groups", "sizes (H×W)", "empty"], rows)
    shares = np.array([r.shares for r in survey.of("train") if not r.problem])
    names = context.experiment.data.class_names
    if shares.size:
        rows = [
            [name, str(int((column > 0).sum())), f"{column.mean():.2%}"]
            for name, column in zip(names, shares.T, strict=True)
        ]
        context.reporter.table("classes", ["class", "images with it", "mean coverage"], rows)
    for finding in findings:
        if finding.severity == "warning":
            context.reporter.warn(f"{finding.subject}: {finding.text}")


def _summary(part: Part, survey: Survey) -> list[str]:
    records = [record for record in survey.of(part) if not record.problem]
    sizes = sorted({(record.height, record.width) for record in records})
    shown = [f"{height}×{width}" for height, width in (sizes[:1] + sizes[-1:])]
    size = " … ".join(dict.fromkeys(shown)) + (f" ({len(sizes)})" if len(sizes) > 1 else "")
    if part == "test":
        return [part, str(len(records)), "", size, ""]
    empty = np.mean([not any(record.shares) for record in records]) if records else 0
    groups = len(set(survey.groups.values()))
    return [part, str(len(records)), str(groups), size, f"{empty:.0%}"]


def _stop_on_errors(findings: Sequence[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        lines = [f"  {finding.subject}: {finding.text}" for finding in errors]
        count = sum(finding.count for finding in errors)
        raise DataError(f"check found {count} error(s):\n" + "\n".join(lines))
