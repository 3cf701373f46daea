"""The formats of submissions by the name that `submission.format` has for them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import Experiment
from pipeline.submission.arrays import NamedArrays, StackedArray
from pipeline.submission.coco_results import CocoResults
from pipeline.submission.format import SubmissionFormat, SubmissionKind
from pipeline.submission.mask_files import MaskFiles
from pipeline.submission.pixel_table import PixelTable
from pipeline.submission.polygons import GeoJson
from pipeline.submission.rle_table import RleTable
from pipeline.suggestions import check_name

FORMATS: dict[str, type[SubmissionKind]] = {
    "rle": RleTable,
    "masks": MaskFiles,
    "npz": NamedArrays,
    "npy": StackedArray,
    "pixels": PixelTable,
    "coco": CocoResults,
    "geojson": GeoJson,
}


def plan_submission(experiment: Experiment, ids: Sequence[str]) -> SubmissionFormat:
    """The submission of test images `ids`, in the experiment's format, before it is written."""
    return _format(experiment).plan(experiment.submission, experiment.data, ids)


def submission_suffix(experiment: Experiment) -> str:
    """The ending of the experiment's submissions, such as `.csv`; "" for a folder."""
    return _format(experiment).suffix(experiment.submission)


def _format(experiment: Experiment) -> type[SubmissionKind]:
    name = experiment.submission.format
    check_name("submission format", name, FORMATS)
    return FORMATS[name]
