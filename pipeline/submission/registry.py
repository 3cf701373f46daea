"""The formats of submissions by the name that `submission.format` has for them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import Experiment
from pipeline.submission.format import SubmissionFormat
from pipeline.submission.rle_table import RleTable
from pipeline.suggestions import check_name

FORMATS: dict[str, type[SubmissionFormat]] = {
    "rle": RleTable,
}


def plan_submission(experiment: Experiment, ids: Sequence[str]) -> SubmissionFormat:
    """The submission of test images `ids`, in the experiment's format, before it is written."""
    data, settings = experiment.data, experiment.submission
    check_name("submission format", settings.format, FORMATS)
    return FORMATS[settings.format].plan(settings, data.root, ids, data.class_names)
