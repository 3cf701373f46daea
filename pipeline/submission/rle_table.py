"""A CSV of run lengths: a row an image, an image and class, or an object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

from pipeline.config import SubmissionConfig
from pipeline.data.rle import Runs
from pipeline.ensemble.blending.threads import ordered
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.planes import kind_of, runs_of_image
from pipeline.submission.rows import Row, TableHeader, plan_rows
from pipeline.submission.table import write_checked


@dataclass(frozen=True)
class RleTable:
    """A table of run lengths; see `SubmissionFormat`."""

    settings: SubmissionConfig
    rows: Sequence[Row]
    header: TableHeader

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, root: Path, ids: Sequence[str], classes: Sequence[str]
    ) -> Self:
        return cls(settings, *plan_rows(settings, root, ids, classes))

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        runs = self._in_order(decisions, advance)
        kinds: dict[int, Counter[str]] = defaultdict(Counter)

        def size_of(each: str) -> Size:
            return self.settings.size or decisions.size_of(each)

        def next_runs(row: Row) -> Sequence[Runs]:
            found = next(runs)
            kinds[row.plane][kind_of(found, size_of(row.id))] += 1
            return found

        written = write_checked(path, self.header, self.rows, next_runs, self.settings, size_of)
        uniform = {
            plane: next(iter(seen))
            for plane, seen in sorted(kinds.items())
            if len(seen) == 1 and "mask" not in seen
        }
        return Written(written, uniform)

    def _in_order(
        self, decisions: SubmittedDecisions, advance: Advance
    ) -> Iterator[Sequence[Runs]]:
        """The runs of row after row; rows of one image that follow each other share a decision."""

        def decided(each: str) -> list[Sequence[Runs]]:
            return runs_of_image(decisions, each, self.settings)

        images = [(each, list(of_it)) for each, of_it in groupby(self.rows, lambda row: row.id)]
        found = ordered(decided, [each for each, _ in images])
        for (_, of_it), runs in zip(images, found, strict=True):
            yield from (runs[row.plane] for row in of_it)
            advance(1)
