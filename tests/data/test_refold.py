"""Images come and go, and folds stay: only new groups are dealt out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import FoldsConfig
from pipeline.data.folds import check_fold_table, make_fold_table
from pipeline.data.inspection import Record
from pipeline.data.refold import FoldChange, extend_fold_table


def world(sizes: list[int], seed: int = 0) -> tuple[list[Record], dict[str, str]]:
    random = np.random.default_rng(seed)
    groups = {f"g{n}_{k}": f"g{n}" for n, size in enumerate(sizes) for k in range(size)}
    shares = random.random(len(groups)) * (random.random(len(groups)) < 0.7)
    records = [
        Record(each, "train", "s", coverage=f"{share:.6g}")
        for each, share in zip(groups, shares, strict=True)
    ]
    return records, groups


def of(records: list[Record], groups: dict[str, str], kept: set[str]) -> tuple[Any, Any]:
    return [each for each in records if each.id in kept], {each: groups[each] for each in kept}


def fold_of(table: pd.DataFrame) -> dict[str, int]:
    return dict(zip(table["id"], table["fold"].astype(int), strict=True))


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.integers(1, 6), min_size=8, max_size=20),
    st.integers(2, 4),
    st.integers(0, 99),
    st.data(),
)
def test_whoever_stays_keeps_his_fold(
    sizes: list[int], count: int, seed: int, data: st.DataObject
) -> None:
    records, groups = world(sizes, seed)
    folds = FoldsConfig(count=count, seed=seed)
    ids = sorted(groups)
    gone = set(data.draw(st.lists(st.sampled_from(ids), max_size=3)))
    late = {each for each in ids if groups[each] == groups[data.draw(st.sampled_from(ids))]}
    before = make_fold_table(*of(records, groups, set(ids) - late), ["a"], folds)
    now = of(records, groups, set(ids) - gone)
    after = extend_fold_table(before, *now, ["a"], folds)
    check_fold_table(after, list(now[1]), now[1], "table")
    assert set(after["fold"]) == set(range(count)), "no fold is empty"
    old, new = fold_of(before), fold_of(after)
    if {old[each] for each in set(old) - gone} == set(range(count)):
        assert all(new[each] == old[each] for each in set(old) - gone)
    again = extend_fold_table(before, *now, ["a"], folds)
    pd.testing.assert_frame_equal(after, again)


def test_an_unchanged_table_stays_as_it_is() -> None:
    records, groups = world([3, 1, 4, 1, 5, 2, 2], seed=1)
    folds = FoldsConfig(count=3)
    table = make_fold_table(records, groups, ["a"], folds)
    pd.testing.assert_frame_equal(extend_fold_table(table, records, groups, ["a"], folds), table)


def test_many_new_groups_are_spread_as_evenly_as_in_a_new_table() -> None:
    records, groups = world([1] * 200, seed=3)
    folds = FoldsConfig(count=5)
    few = of(records, groups, set(sorted(groups)[:20]))
    after = extend_fold_table(make_fold_table(*few, ["a"], folds), records, groups, ["a"], folds)
    counts = pd.crosstab(after["fold"], after["stratum"])
    assert counts.sum(axis=1).max() - counts.sum(axis=1).min() <= 5
    assert (counts.max() - counts.min()).max() <= 4


def test_a_fold_that_lost_everything_gets_a_group_of_another() -> None:
    records, groups = world([1] * 6)
    folds = FoldsConfig(count=2)
    before = make_fold_table(records, groups, ["a"], folds)
    left = set(before.loc[before["fold"] == 0, "id"])
    after = extend_fold_table(before, *of(records, groups, left), ["a"], folds)
    assert sorted(after["fold"].unique()) == [0, 1]


def test_only_members_that_saw_a_change_are_trained_again() -> None:
    before = pd.DataFrame({"id": ["a", "b", "c", "d"], "fold": [0, 1, 2, 1]})
    assert FoldChange.between(before, before.drop(index=1)).retrained(3) == [0, 2]
    assert FoldChange.between(before, before.drop(index=[0, 1])).retrained(3) == [0, 1, 2]
    assert FoldChange.between(before, before.assign(fold=[0, 1, 2, 2])).retrained(3) == [0, 1, 2]
    assert not FoldChange.between(before, before)
    change = FoldChange.between(before, before.replace({"id": {"d": "e"}}))
    assert change.lines() == ["fold 1 lost 1 image(s): d, has new 1 image(s): e"]
