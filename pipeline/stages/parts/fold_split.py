"""The samples of a fold: those that are learned from, and those held out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from pipeline.data.catalog import Sample
from pipeline.size import Size
from pipeline.stages.check import Survey
from pipeline.training.look_matching import looked_at


@dataclass(frozen=True)
class FoldSplit:
    """The samples of one fold, which all models share: those to learn from, and those held out."""

    name: str
    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    sizes: tuple[Size, ...]
    """Of the images held out."""
    images: str
    """Changes with any byte of what is learned from."""
    present: tuple[tuple[bool, ...], ...]
    """Of each image to learn from, which classes it has."""
    rows: dict[str, tuple[str, ...]]
    """Columns of the fold table (`group`, `stratum`) for the images to learn from."""
    counted: int
    """The images that an epoch is as long as."""
    test: tuple[Sample, ...]
    """Some test images, for training samples to look alike."""
    test_images: tuple[str, ...]
    """Hashes of these."""

    @classmethod
    def of(cls, survey: Survey, table: pd.DataFrame, fold: int) -> FoldSplit:
        return cls._of(survey, table, table["fold"] == fold, f"fold {fold}")

    @classmethod
    def of_all(cls, survey: Survey, table: pd.DataFrame, counted: int) -> FoldSplit:
        """All images to learn from, and none held out."""
        none = pd.Series(False, index=table.index)
        return replace(cls._of(survey, table, none, "all images"), counted=counted)

    @classmethod
    def _of(
        cls, survey: Survey, table: pd.DataFrame, is_held_out: pd.Series[bool], name: str
    ) -> FoldSplit:
        # a table of somebody's own may be in any order
        learned = table.loc[~is_held_out].sort_values("id", kind="stable")
        training, held_out = sorted(learned["id"]), table.loc[is_held_out, "id"].tolist()
        test = looked_at([record.id for record in survey.of("test")])
        shares = {record.id: record.shares for record in survey.of("train")}
        return cls(
            name,
            survey.samples("train", training),
            survey.samples("train", held_out),
            tuple(survey.sizes["train", each] for each in held_out),
            survey.fingerprint("train", training),
            tuple(tuple(share > 0 for share in shares[each]) for each in training),
            {column: tuple(map(str, learned[column])) for column in ("group", "stratum")},
            len(training),
            survey.samples("test", test),
            tuple(survey.digests["test", each] for each in test),
        )
