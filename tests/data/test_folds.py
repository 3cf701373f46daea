"""The fold table: no group in two folds, every id once, strata spread evenly, always the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import FoldsConfig
from pipeline.data.folds import COLUMNS, check_fold_table, make_fold_table
from pipeline.data.inspection import Record
from pipeline.errors import ArtefactError, ConfigError


@st.composite
def competitions(draw: st.DrawFn) -> tuple[list[Record], dict[str, str], list[str], FoldsConfig]:
    """Records in any order, groups of any size, one class or three, of any coverage."""
    count = draw(st.integers(2, 6))
    sizes = draw(st.lists(st.integers(1, 9), min_size=count, max_size=14))
    classes = draw(st.sampled_from([["a"], ["a", "b", "c"]]))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    emptiness = draw(st.sampled_from([0.0, 0.5, 0.95, 1.0]))
    groups = {f"i{n}_{k}": f"g{n}" for n, size in enumerate(sizes) for k in range(size)}
    shares = random.random((len(groups), len(classes)))
    shares[random.random(shares.shape) < emptiness] = 0
    records = [record(each, row) for each, row in zip(groups, shares, strict=True)]
    random.shuffle(records)  # type: ignore[arg-type]
    stratify = draw(st.sampled_from(["coverage", "none"]))
    seed = draw(st.integers(0, 99))
    return records, groups, classes, FoldsConfig(count=count, seed=seed, stratify=stratify)


def record(sample_id: str, shares: Any) -> Record:
    return Record(sample_id, "train", "s", coverage=" ".join(f"{each:.6g}" for each in shares))


def alone(shares: Any, classes: int = 1) -> tuple[list[Record], dict[str, str]]:
    rows = np.reshape(shares, (-1, classes))
    records = [record(f"i{number:05}", row) for number, row in enumerate(rows)]
    return records, {each.id: each.id for each in records}


@settings(deadline=None)
@given(competitions())
def test_every_id_once_and_no_group_in_two_folds(world: Any) -> None:
    _, groups, _, folds = world
    table = make_fold_table(*world)
    assert tuple(table.columns) == COLUMNS
    assert table["id"].tolist() == sorted(groups)
    assert table["group"].tolist() == [groups[each] for each in sorted(groups)]
    assert set(table["fold"]) == set(range(folds.count))
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    check_fold_table(table, list(groups), groups, "table")


@settings(deadline=None, max_examples=40)
@given(competitions(), st.randoms())
def test_the_table_depends_on_seed_and_data_alone(world: Any, random: Any) -> None:
    records, groups, classes, folds = world
    shuffled = random.sample(records, len(records))
    turned = dict(random.sample(list(groups.items()), len(groups)))
    first = make_fold_table(records, groups, classes, folds)
    assert first.equals(make_fold_table(shuffled, turned, classes, folds))


def test_another_seed_is_another_table() -> None:
    records, groups = alone(np.random.default_rng(0).random(60))
    tables = [make_fold_table(records, groups, ["a"], FoldsConfig(seed=seed)) for seed in range(4)]
    assert len({tuple(table["fold"]) for table in tables}) == 4


@pytest.mark.parametrize("count", [2, 3, 5, 7])
@pytest.mark.parametrize("images", [7, 40, 101])
def test_folds_of_single_images_differ_by_few(count: int, images: int) -> None:
    shares = np.random.default_rng(images).random(images)
    records, groups = alone(shares * (shares > 0.3))
    sizes = make_fold_table(records, groups, ["a"], FoldsConfig(count=count))["fold"].value_counts()
    assert sizes.max() - sizes.min() <= 5  # one a stratum at most: empty and four quantiles
    plain = make_fold_table(records, groups, ["a"], FoldsConfig(count=count, stratify="none"))
    assert np.ptp(plain["fold"].value_counts()) <= 1


def test_strata_are_balanced_where_random_folds_are_not() -> None:
    random = np.random.default_rng(3)
    shares = random.random(200) ** 3 * (random.random(200) < 0.3)
    records, groups = alone(shares)

    def unevenness(stratify: Any) -> float:
        spreads = []
        for seed in range(5):
            folds = FoldsConfig(count=5, seed=seed, stratify=stratify)
            fold = make_fold_table(records, groups, ["a"], folds)["fold"].to_numpy()
            spreads.append(np.ptp([(shares[fold == number] > 0).mean() for number in range(5)]))
        return float(np.mean(spreads))

    assert unevenness("coverage") < 0.03
    assert unevenness("none") > 0.1


def test_strata_of_groups_are_balanced_better_than_by_chance() -> None:
    random = np.random.default_rng(5)
    owner = np.repeat(np.arange(60), 4)
    shares = np.where(random.random(60)[owner] < 0.4, 0, random.random(240))
    records, _ = alone(shares)
    groups = {each.id: f"g{own}" for each, own in zip(records, owner, strict=True)}
    fold = make_fold_table(records, groups, ["a"], FoldsConfig())["fold"].to_numpy()
    empty = [(shares[fold == number] == 0).mean() for number in range(5)]
    sizes = [(fold == number).sum() for number in range(5)]
    assert np.ptp(empty) < 0.15
    assert max(sizes) <= 60


def test_the_stratum_is_emptiness_then_the_quantile() -> None:
    records, groups = alone([0, 0.1, 0.2, 0.3, 0.4, 0, 0.5, 0.6, 0.7, 0.8])
    stratum = make_fold_table(records, groups, ["a"], FoldsConfig(count=2))["stratum"].tolist()
    assert stratum == ["empty", "q1", "q1", "q2", "q2", "empty", "q3", "q3", "q4", "q4"]


def test_the_stratum_of_several_classes_is_the_rarest_one() -> None:
    records, groups = alone([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]], classes=3)
    table = make_fold_table(records, groups, ["sky", "car", "dog"], FoldsConfig(count=2))
    assert table["stratum"].tolist() == ["sky", "car", "dog", "empty", "car"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("images", [2, 3, 5])
def test_rare_classes_are_spread_as_far_as_they_go(images: int, seed: int) -> None:
    shares = np.zeros((100, 4))
    shares[:, 0] = 0.5
    for number in (1, 2, 3):
        shares[number * images : (number + 1) * images, number] = 0.1
    records, groups = alone(shares, classes=4)
    table = make_fold_table(records, groups, list("cdef"), FoldsConfig(count=5, seed=seed))
    for name in "def":
        assert table[table["stratum"] == name]["fold"].nunique() == images


def test_as_many_groups_as_folds_is_one_each() -> None:
    records, _ = alone(np.random.default_rng(0).random(25))
    groups = {each.id: f"g{number % 5}" for number, each in enumerate(records)}
    table = make_fold_table(records, groups, ["a"], FoldsConfig(count=5))
    assert (table.groupby("fold")["group"].nunique() == 1).all()


@pytest.mark.parametrize("strata", ["-baaa-abb-", "aabccbbcab", "b-cb--bccb"])
def test_few_groups_of_unequal_size_leave_no_fold_empty(strata: str) -> None:
    # scikit-learn's StratifiedGroupKFold by itself leaves one empty for each of these
    sizes = {"-": [4, 3, 1, 2], "a": [2, 4, 3, 1], "b": [1, 3, 2, 4]}[strata[0]]
    records, _ = alone([[name == each for each in "abc"] for name in strata], classes=3)
    owners = np.repeat(list("pqrs"), sizes)
    groups = {each.id: own for each, own in zip(records, owners, strict=True)}
    table = make_fold_table(records, groups, list("abc"), FoldsConfig(count=4, seed=0))
    assert (table.groupby("fold")["group"].nunique() == 1).all()
    assert set(table["fold"]) == {0, 1, 2, 3}


def test_fewer_groups_than_folds_is_an_error() -> None:
    records, groups = alone(np.ones(9))
    three = {each.id: f"g{number % 3}" for number, each in enumerate(records)}
    with pytest.raises(ConfigError, match="5 folds need as many groups; there are 3"):
        make_fold_table(records, three, ["a"], FoldsConfig(count=5))
    with pytest.raises(ConfigError, match="there are 1"):
        make_fold_table(records[:1], groups, ["a"], FoldsConfig(count=2))


def test_one_huge_group_leaves_the_others_to_the_other_folds() -> None:
    records, _ = alone(np.random.default_rng(0).random(100))
    groups = {each.id: "huge" if number < 90 else each.id for number, each in enumerate(records)}
    table = make_fold_table(records, groups, ["a"], FoldsConfig(count=5))
    sizes = sorted(table["fold"].value_counts())
    assert sizes[-1] == 90
    assert sizes[0] >= 1


@pytest.mark.parametrize("classes", [1, 3])
def test_every_mask_empty_is_one_stratum(classes: int) -> None:
    records, groups = alone(np.zeros((8, classes)), classes)
    table = make_fold_table(records, groups, list("abc")[:classes], FoldsConfig(count=2))
    assert set(table["stratum"]) == {"empty"}
    assert table["fold"].value_counts().tolist() == [4, 4]


def fold_table(**columns: Any) -> pd.DataFrame:
    base = {"id": list("abcd"), "group": list("ppqr"), "stratum": ["x"] * 4, "fold": [0, 0, 1, 1]}
    return pd.DataFrame({**base, **columns})


GROUPS = {"a": "p", "b": "p", "c": "q", "d": "r"}


def test_a_fold_table_that_fits_is_taken_in_any_order() -> None:
    check_fold_table(fold_table(), list("abcd"), GROUPS, "x.csv")
    check_fold_table(fold_table()[::-1], list("bdac"), GROUPS, "x.csv")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (fold_table().drop(columns="fold"), "x.csv has no column 'fold'; it needs id,group"),
        (
            fold_table(id=list("abce")),
            "not match the dataset .missing ids: d; unknown ids: e.. Fix it",
        ),
        (fold_table()[:3], "missing ids: d.. Fix it"),
        (pd.concat([fold_table(), fold_table()[:1]]), "repeated ids: a.. Fix it"),
        (fold_table(id=list("abcc")), "missing ids: d; repeated ids: c.. Fix it"),
        (fold_table(fold=["0", "0", "x", "1"]), "'x' is not a fold; folds are 0, 1"),
        (fold_table(fold=[0, 1, 0, 1]), "x.csv: the group 'p' is in several folds, so folds leak"),
    ],
)
def test_a_fold_table_that_does_not_fit_says_why(table: pd.DataFrame, says: str) -> None:
    with pytest.raises(ArtefactError, match=says):
        check_fold_table(table, list("abcd"), GROUPS, "x.csv")


def test_leaks_are_those_of_the_data_whatever_the_table_calls_its_groups() -> None:
    renamed = fold_table(group=list("1234"), fold=[0, 1, 0, 1])
    with pytest.raises(ArtefactError, match="the group 'p'"):
        check_fold_table(renamed, list("abcd"), GROUPS, "x.csv")
