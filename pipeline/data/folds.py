"""The fold table: which fold holds out which image, decided once for every model."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.config import FoldsConfig
from pipeline.data.inspection import Record
from pipeline.data.listing import listed
from pipeline.errors import ArtefactError, ConfigError

COLUMNS = ("id", "group", "stratum", "fold")
QUANTILES = 4
VERSION = "folds/2"
"""Bumped when the same samples must be split differently than before."""


def make_fold_table(
    records: Sequence[Record], groups: Mapping[str, str], classes: Sequence[str], folds: FoldsConfig
) -> pd.DataFrame:
    """`id,group,stratum,fold` of the training samples, by id: no group in two folds.

    Stratified by coverage as scikit-learn's StratifiedGroupKFold does it (StratifiedKFold where
    every image is its own group). ConfigError when there are fewer groups than folds.
    """
    table = fold_rows(records, groups, classes, folds)
    count = table["group"].nunique()
    if count < folds.count:
        raise ConfigError(
            f"folds.count: {folds.count} folds need as many groups; there are {count}"
        )
    return table.assign(fold=_split(table["group"].to_numpy(), table["stratum"].to_numpy(), folds))


def fold_rows(
    records: Sequence[Record], groups: Mapping[str, str], classes: Sequence[str], folds: FoldsConfig
) -> pd.DataFrame:
    """`id,group,stratum` of the training samples, by id."""
    ordered = sorted(records, key=lambda record: record.id)
    return pd.DataFrame(
        {
            "id": [record.id for record in ordered],
            "group": np.array([groups[record.id] for record in ordered]),
            "stratum": np.array(_strata(ordered, classes, folds)),
        }
    )


def _split(group: np.ndarray, stratum: np.ndarray, folds: FoldsConfig) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # takes seconds

    alone = len(set(group.tolist())) == len(group)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    splitter = kind(folds.count, shuffle=True, random_state=folds.seed)
    if np.unique(stratum, return_counts=True)[1].max() < folds.count:
        stratum = np.full(len(stratum), "all")  # scikit-learn refuses to stratify so few
    fold = np.full(len(group), -1)
    with warnings.catch_warnings():
        # a stratum smaller than the number of folds is spread as far as it goes
        warnings.filterwarnings("ignore", message="The least populated class")
        for number, (_, held_out) in enumerate(
            splitter.split(group, stratum, None if alone else group)
        ):
            fold[held_out] = number
    return without_empty_folds(fold, group, folds.count)


def without_empty_folds(fold: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Give every empty fold the smallest group of the fold that has most groups.

    StratifiedGroupKFold may leave a fold empty when groups are few and unequal.
    """
    for number in range(count):
        if (fold == number).any():
            continue
        owners = {each: fold[group == each][0] for each in sorted(set(group.tolist()))}
        richest = max(range(count), key=lambda f: sum(owner == f for owner in owners.values()))
        movable = [each for each, owner in owners.items() if owner == richest]
        smallest = min(movable, key=lambda each: int((group == each).sum()))
        fold[group == smallest] = number
    return fold


def _strata(records: Sequence[Record], classes: Sequence[str], folds: FoldsConfig) -> list[str]:
    if folds.stratify == "none":
        return ["all"] * len(records)
    shares = np.array([record.shares for record in records]).reshape(len(records), len(classes))
    if len(classes) == 1:
        return _by_coverage(shares[:, 0])
    return _by_rarest_class(shares, classes)


def _by_coverage(shares: np.ndarray) -> list[str]:
    """`empty`, or the quantile of the covered ones."""
    covered = shares > 0
    if not covered.any():
        return ["empty"] * len(shares)
    edges = np.quantile(shares[covered], np.linspace(0, 1, QUANTILES + 1)[1:-1])
    quantile = np.searchsorted(edges, shares, side="right") + 1
    return [f"q{q}" if c else "empty" for q, c in zip(quantile, covered, strict=True)]


def _by_rarest_class(shares: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The rarest class in the image, so that the rare ones are spread evenly."""
    present = shares > 0
    rarity = present.sum(axis=0)
    order = np.argsort(rarity, kind="stable")
    names = []
    for row in present:
        found = [classes[number] for number in order if row[number]]
        names.append(found[0] if found else "empty")
    return names


def check_fold_table(
    table: pd.DataFrame, ids: Sequence[str], groups: Mapping[str, str], where: str
) -> None:
    """ArtefactError unless the table splits exactly these ids and keeps every group together."""
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ArtefactError(f"{where} has no column {missing[0]!r}; it needs {','.join(COLUMNS)}")
    found, expected = Counter(table["id"]), Counter(ids)
    if found != expected:
        wrong = {
            "missing ids": sorted(expected - found),
            "unknown ids": sorted(set(found) - set(expected)),
            "repeated ids": sorted(set(found - expected) & set(expected)),
        }
        differences = "; ".join(f"{what}: {listed(ids)}" for what, ids in wrong.items() if ids)
        raise ArtefactError(
            f"{where} does not match the dataset ({differences}). Fix it, or delete it to re-split"
        )
    strange = [each for each in table["fold"] if not re.fullmatch(r"[0-9]{1,9}", str(each))]
    if strange:
        raise ArtefactError(f"{where}: {strange[0]!r} is not a fold; folds are 0, 1, …")
    of_row = [groups[each] for each in table["id"]]
    leaks = table.assign(group=of_row).groupby("group")["fold"].nunique()
    if (leaks > 1).any():
        raise ArtefactError(
            f"{where}: the group {leaks.idxmax()!r} is in several folds, so folds leak"
        )
