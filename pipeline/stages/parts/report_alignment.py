"""The part of the report about the alignment of references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.alignment import centred, warp_reference
from pipeline.alignment.geometry import FloatArray, corner_distance
from pipeline.data.catalog import Sample
from pipeline.data.image_sources.registry import image_source
from pipeline.data.image_sources.source import ImageSource
from pipeline.data.inspection import PARTS
from pipeline.reports.alignment import alignment_figure, difference_strip
from pipeline.reports.data_uri import figure_uri, image_uri
from pipeline.reports.html import Case, Picture, Section, Table
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext

WORST, FLAGGED, LONGEST = 4, 8, 960
_MATRIX = [f"w{row}{column}" for row in range(3) for column in range(3)]


def section(context: StageContext, survey: Survey) -> Section:
    """Counts, distributions, and the worst and the flagged pairs before and after."""
    path = context.workspace.alignment
    every = pd.read_csv(path, dtype={"id": str}, keep_default_na=False)
    pairs = every[every["status"] != "no reference"]
    source = image_source(context.experiment.data)
    samples = [survey.catalog.by_id[row["part"]][row["id"]] for row in _rows(pairs)]
    moved = [
        displacement(sample, _warp(row), survey, source)
        for sample, row in zip(samples, _rows(pairs), strict=True)
    ]
    trusted, flagged = pairs[pairs["status"] == "ok"], pairs[pairs["status"] != "ok"]
    worst = trusted.sort_values(["corner_px", "id"], ascending=[False, True]).head(WORST)
    return Section(
        "Alignment of references",
        "Each strip: the image, its difference from the centred reference, and its difference from "
        "the aligned reference. The last one should show dirt, light and noise only; doubled edges "
        "mean that the alignment is off.",
        table=_counts(every),
        figures=[Picture(figure_uri(alignment_figure(pairs, np.array(moved))), "")],
        cases={
            "Trusted, but least certain": [_case(row, survey, source) for row in _rows(worst)],
            "Flagged": [_case(row, survey, source) for row in _rows(flagged.head(FLAGGED))],
        },
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _counts(table: pd.DataFrame) -> Table:
    counts = pd.crosstab(table["status"], table["part"])
    parts = [part for part in PARTS if part in counts.columns]
    rows = [[str(status), *map(str, row)] for status, *row in counts[parts].itertuples()]
    return Table(["status", *parts], rows)


def _warp(row: dict[str, Any]) -> FloatArray:
    return np.array([row[name] for name in _MATRIX], np.float64).reshape(3, 3)


def displacement(sample: Sample, warp: FloatArray, survey: Survey, source: ImageSource) -> float:
    """Pixels by which the warp moves a corner from where middle on middle leaves it."""
    assert sample.reference is not None
    reference_size = source.size_of(sample.reference)
    size = survey.sizes[sample.part, sample.id]
    return corner_distance(centred(size, reference_size), warp, size)


def _case(row: dict[str, Any], survey: Survey, source: ImageSource) -> Case:
    sample = survey.catalog.by_id[str(row["part"])][str(row["id"])]
    assert sample.reference is not None
    image = source.shown(source.read(sample.image))
    reference = source.shown(source.read(sample.reference))
    size = (image.shape[0], image.shape[1])
    before = warp_reference(reference, centred(size, reference.shape[:2]), size)
    strip = difference_strip(image, before, warp_reference(reference, _warp(row), size))
    status = "" if row["status"] == "ok" else f"{row['status']}, "
    figures = f"{row['cc_before']:.2f} → {row['cc_after']:.2f}, ± {row['corner_px']:.2g} px"
    return Case(sample.id, status + figures, [Picture(image_uri(strip, LONGEST))])
