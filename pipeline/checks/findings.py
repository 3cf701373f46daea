"""Finds problems of a competition's data before hours are spent on training."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.checks.band_findings import shifted_bands
from pipeline.checks.finding import Finding
from pipeline.checks.image_findings import (
    identity_problems,
    odd_ids,
    oddities_of_images,
    twins,
    unreadable,
)
from pipeline.checks.mask_findings import mask_problems
from pipeline.checks.setting_findings import (
    group_problems,
    metric_problems,
    reference_problems,
    submission_problems,
    weight_problems,
)
from pipeline.checks.stack_findings import stack_problems
from pipeline.config import Experiment
from pipeline.data.catalog import Catalog
from pipeline.data.inspection import Record
from pipeline.errors import DataError


def find_problems(
    catalog: Catalog,
    records: Sequence[Record],
    groups: dict[str, str] | DataError,
    experiment: Experiment,
    *,
    sample: bool = True,
) -> list[Finding]:
    """Every problem, errors first; each names the id, file or key it is about.

    groups: id → group, or why there are none; sample: whether the sample submission is read.
    """
    named = {} if isinstance(groups, DataError) else groups
    findings = [
        *unreadable(records),
        *identity_problems(catalog, records),
        *odd_ids(catalog),
        *reference_problems(catalog, experiment),
        *group_problems(groups, experiment),
        *mask_problems(catalog, records, experiment),
        *twins(records, named),
        *(submission_problems(catalog, experiment) if sample else ()),
        *weight_problems(experiment),
        *metric_problems(experiment),
        *shifted_bands(records, experiment.data),
        *stack_problems(catalog, records, named, experiment.data),
        *oddities_of_images(records),
    ]
    return sorted(findings, key=lambda finding: finding.severity)
