"""Updates the fold table when images come or go, with as few moves between folds as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import FoldsConfig
from pipeline.data.folds import fold_rows, make_fold_table, without_empty_folds
from pipeline.data.inspection import Record
from pipeline.data.listing import listed


def extend_fold_table(
    before: pd.DataFrame,
    records: Sequence[Record],
    groups: Mapping[str, str],
    classes: Sequence[str],
    folds: FoldsConfig,
) -> pd.DataFrame:
    """The table of these samples in which every group of `before` (id, fold) keeps its fold.

    A group whose images were in several folds goes where most of them were. New groups are dealt
    out one by one, the largest first and equal ones in an order that `folds.seed` draws, each to
    the fold that makes the strata most even. A fold that lost all its groups gets one of another.
    """
    table = fold_rows(records, groups, classes, folds)
    owners = _owners(before, groups)
    if not owners or len(set(groups.values())) < folds.count:
        return make_fold_table(records, groups, classes, folds)
    strata = pd.crosstab(table["group"], table["stratum"])
    _deal_out(strata, owners, folds)
    fold = np.array([owners[each] for each in table["group"]])
    return table.assign(fold=without_empty_folds(fold, table["group"].to_numpy(), folds.count))


def _owners(before: pd.DataFrame, groups: Mapping[str, str]) -> dict[str, int]:
    """Group → its fold, for groups of which an image is in the old table."""
    counts: dict[str, Counter[int]] = {}
    for each, fold in zip(before["id"], before["fold"], strict=True):
        if each in groups:
            counts.setdefault(groups[each], Counter())[int(fold)] += 1
    return {
        group: min(count, key=lambda fold: (-count[fold], fold)) for group, count in counts.items()
    }


def _deal_out(strata: pd.DataFrame, owners: dict[str, int], folds: FoldsConfig) -> None:
    """Add the groups that have no fold yet. strata: images by group and stratum."""
    counts = dict(zip(strata.index, strata.to_numpy(np.float64), strict=True))
    held: NDArray[np.float64] = np.zeros((folds.count, strata.shape[1]))
    for group, fold in owners.items():
        held[fold] += counts[group]
    new = sorted(set(counts) - set(owners))
    drawn = [new[place] for place in np.random.default_rng(folds.seed).permutation(len(new))]
    for group in sorted(drawn, key=lambda each: -counts[each].sum()):
        images = counts[group]
        owners[group] = min(range(folds.count), key=lambda fold: _unevenness(held, images, fold))
        held[owners[group]] += images


def _unevenness(
    held: NDArray[np.float64], images: NDArray[np.float64], fold: int
) -> tuple[float, float, int]:
    """How far apart the folds are in each stratum, if those images went to that fold; ties go to
    the smallest fold, then to the first.
    """
    after = held.copy()
    after[fold] += images
    share = after / np.maximum(after.sum(axis=0), 1)
    return round(float(share.std(axis=0).mean()), 12), float(held[fold].sum()), fold


@dataclass(frozen=True)
class FoldChange:
    """Differences between two fold tables that matter to members."""

    gone: Mapping[str, int]
    new: Mapping[str, int]
    moved: Mapping[str, tuple[int, int]]

    @classmethod
    def between(cls, before: pd.DataFrame, after: pd.DataFrame) -> FoldChange:
        """Both with `id` and `fold`."""
        old = {each: int(f) for each, f in zip(before["id"], before["fold"], strict=True)}
        now = {each: int(f) for each, f in zip(after["id"], after["fold"], strict=True)}
        return cls(
            gone={each: fold for each, fold in old.items() if each not in now},
            new={each: fold for each, fold in now.items() if each not in old},
            moved={
                each: (old[each], fold)
                for each, fold in now.items()
                if each in old and old[each] != fold
            },
        )

    def __bool__(self) -> bool:
        return bool(self.gone or self.new or self.moved)

    def retrained(self, count: int) -> list[int]:
        """The folds whose members see other training images than before: of `count` folds all but
        the one in which everything happened, whose member never saw it.
        """
        touched = {*self.gone.values(), *self.new.values()}
        touched |= {fold for both in self.moved.values() for fold in both}
        return [fold for fold in range(count) if touched - {fold}]

    def lines(self) -> list[str]:
        """One line for each fold that changed."""
        happened = [("lost", self.gone), ("has new", self.new)]
        lines = []
        for fold in sorted({*self.gone.values(), *self.new.values()}):
            parts = [
                f"{verb} {sum(f == fold for f in ids.values())} image(s): "
                f"{listed([each for each, f in ids.items() if f == fold])}"
                for verb, ids in happened
                if fold in ids.values()
            ]
            lines.append(f"fold {fold} {', '.join(parts)}")
        if self.moved:
            lines.append(f"{len(self.moved)} image(s) change folds: {listed(list(self.moved))}")
        return lines
