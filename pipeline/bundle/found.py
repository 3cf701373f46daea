"""What was found so far, as a submission: whole and valid at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.atomic_files import write_atomic
from pipeline.config import Experiment
from pipeline.config.choices import RleOrder
from pipeline.data.catalog import Sample
from pipeline.data.rle import Runs
from pipeline.data.samples import SampleReader
from pipeline.ensemble.members import reader_of
from pipeline.errors import DataError
from pipeline.maps import MapStore
from pipeline.prediction.finished_run import FinishedRun
from pipeline.reporting import Reporter
from pipeline.size import Size
from pipeline.submission.format import SubmissionFormat, SubmittedDecisions
from pipeline.submission.pixel_rows import header_of
from pipeline.submission.pixel_table import PixelTable
from pipeline.submission.registry import plan_submission
from pipeline.submission.rle_table import RleTable
from pipeline.submission.rows import emptied_sample, sample_header


@dataclass(frozen=True)
class Found(SubmittedDecisions):
    """Decisions by the models whose maps are there; images without maps have empty masks."""

    mapped: frozenset[str] = frozenset()
    """The ids that have maps."""

    @classmethod
    def so_far(
        cls,
        run: FinishedRun,
        sizes: Mapping[str, Size],
        samples: Mapping[str, Sample],
        stores: Mapping[str, MapStore],
    ) -> Self:
        """sizes: H, W by id, of the images that have maps in `stores`, if there are any; other
        images count as the most usual one.
        """
        usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else (1, 1)
        reader = SampleReader(run.experiment.data)
        recipe = run.recipe.of_models(stores) if stores else run.recipe
        return cls(
            recipe,
            reader_of({name: stores[name] for name in recipe.names}) if stores else lambda _: [],
            lambda each: sizes.get(each, usual),
            lambda each: reader.picture(samples[each]),
            frozenset(sizes) if stores else frozenset(),
        )

    def runs(self, id: str, order: RleOrder) -> list[Runs] | None:
        return super().runs(id, order) if id in self.mapped else None

    def decide(self, id: str) -> NDArray[np.bool_]:
        return super().decide(id) if id in self.mapped else self._nothing(id, np.bool_)

    def probabilities(self, id: str) -> NDArray[np.float32]:
        return super().probabilities(id) if id in self.mapped else self._nothing(id, np.float32)

    def _nothing(self, id: str, dtype: Any) -> NDArray[Any]:
        return np.zeros((len(self.recipe.thresholds), *self.size_of(id)), dtype)


def sizes_at_least(samples: Mapping[str, Sample], reader: SampleReader) -> dict[str, Size]:
    """H, W of the images whose headers can be read."""
    sizes = {}
    for each, sample in samples.items():
        try:
            sizes[each] = reader.own_size(reader.rows(sample))
        except DataError:
            continue
    return sizes


def plan_of_what_is_there(
    experiment: Experiment, ids: Sequence[str], reporter: Reporter
) -> SubmissionFormat:
    """The submission that the sample file asks for; where that is about other images, one of all
    test images in their order.
    """
    try:
        return plan_submission(experiment, ids)
    except DataError as error:
        if experiment.submission.sample is None:
            raise
        reporter.warn(f"{error}; the rows are those of the test images instead")
        return _plan_without_rows(experiment, ids)


def _plan_without_rows(experiment: Experiment, ids: Sequence[str]) -> SubmissionFormat:
    """A submission of these images that has of the sample file no more than its header. What is
    copied from rows of the sample is empty.
    """
    settings = experiment.submission
    bare = settings.model_copy(update={"sample": None})
    planned = plan_submission(experiment.model_copy(update={"submission": bare}), ids)
    if settings.sample is None:
        return planned
    path = experiment.data.root / settings.sample
    if isinstance(planned, PixelTable):
        return replace(planned, header=header_of(path))
    if isinstance(planned, RleTable):
        nothing = ("",) * len(settings.copied)
        rows = [replace(row, copied=row.copied or nothing) for row in planned.rows]
        return replace(planned, rows=rows, header=sample_header(path, settings))
    return planned


def write(
    path: Path, planned: SubmissionFormat, decisions: SubmittedDecisions, reporter: Reporter
) -> None:
    """Write it, in place of one that is there."""
    images = {row.id for row in planned.rows}
    with reporter.track("submit", len(images)) as advance:
        planned.write(path, decisions, advance)


def write_without_images(path: Path, run: FinishedRun) -> None:
    """The sample table with empty masks; where there is none, a submission of no image."""
    experiment = run.experiment
    settings = experiment.submission
    if settings.sample is not None and settings.format == "rle":
        write_atomic(path, emptied_sample(experiment.data.root / settings.sample, settings))
        return
    planned = _plan_without_rows(experiment, [])
    nothing = SubmittedDecisions(run.recipe, lambda _: [], lambda _: (1, 1))
    planned.write(path, nothing, lambda _: None)
