"""What `train.sample` needs to know of a member's training images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

from pipeline.config.sampling import ImageWeights, SampleConfig
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.data.tables import read_table
from pipeline.errors import ConfigError, DataError
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.training.sampling import SampleFacts

Weights = Mapping[str, float]

_EASIEST = 0.1


def given_weights(
    context: StageContext, survey: Survey, models: Sequence[str]
) -> dict[ImageWeights, Weights]:
    """The weights (by id) of each table that a stage of those models asks for.

    DataError for a table that does not name each training image, or others, or says no weight;
    ConfigError for the table of this run itself.
    """
    data = context.experiment.data
    tables: dict[ImageWeights, Weights] = {}
    wishes: dict[ImageWeights, str] = {}
    for name in models:
        for key, part in context.experiment.models[name].train.parts():
            wishes.setdefault(part.sample.weights, f"models.{name}: {key}.sample.weights")
    known = {*survey.catalog.by_id["train"], *survey.catalog.by_id["test"], *data.drop}
    for wish, where in wishes.items():
        if wish.csv is not None:
            path, columns = data.root / wish.csv, (wish.id, wish.weight)
            with _naming(f"{where}.csv"):
                tables[wish] = _read(path, columns, _weight, survey, known)
        elif wish.hardness is not None:
            _check_not_own(context, where, wish.hardness)
            with _naming(f"{where}.hardness"):
                scores = _read(wish.hardness, ("id", "score"), _score, survey, known)
            tables[wish] = hardness(scores)
    return tables


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Begin what is wrong with a table by the key that names it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{key}: {error}") from None


def hardness(scores: Mapping[str, float]) -> Weights:
    """0.1 for the best score, 1.1 for the worst, linearly between; 1 where all are equal."""
    best, worst = max(scores.values()), min(scores.values())
    if best == worst:
        return dict.fromkeys(scores, 1.0)
    return {id: _EASIEST + (best - score) / (best - worst) for id, score in scores.items()}


def _check_not_own(context: StageContext, where: str, path: Path) -> None:
    if path.resolve() == context.workspace.oof_scores.resolve():
        raise ConfigError(
            f"{where}.hardness: {path} is this run's own, which "
            "changes with every training; give the table of a run of another name"
        )


def _read(
    path: Path,
    columns: tuple[str, str],
    number: Callable[[str, str, str], float],
    survey: Survey,
    known: set[str],
) -> dict[str, float]:
    """By id what `number` makes of (cell, where, column)."""
    name_column, value_column = columns
    table = read_table(path, columns)
    by_name = {as_matched(each): each for each in known}
    found: dict[str, float] = {}
    for row, name, cell in zip(table.rows, table[name_column], table[value_column], strict=True):
        where, id = f"{path}, line {row.line}", by_name.get(as_matched(name))
        if id is None:
            raise DataError(
                f"{where}: there is no image {name!r}; its {value_column} would do nothing"
            )
        if id in found:
            raise DataError(
                f"{where}: {name!r} has a {value_column} already; remove one of the two rows"
            )
        found[id] = number(cell, where, value_column)
    if missing := [each for each in survey.catalog.by_id["train"] if each not in found]:
        raise DataError(
            f"{path} has no {value_column} for {listed(missing)}"
            + ("; write 1 for an ordinary image" if number is _weight else "")
        )
    return found


def _weight(cell: str, where: str, column: str) -> float:
    weight = _float(cell)
    if not 0 <= weight < 1e9:
        raise DataError(f"{where}: {column} is {cell!r}, and a weight is a number from 0 to 1e9")
    return weight


def _score(cell: str, where: str, column: str) -> float:
    score = _float(cell)
    if not math.isfinite(score):
        raise DataError(f"{where}: {column} is {cell!r}, which is no number")
    return score


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def facts_of(
    split: FoldSplit,
    sample: SampleConfig,
    classes: Sequence[str],
    given: Weights | None,
    where: str,
) -> SampleFacts | None:
    """None where sampling needs to know nothing. DataError where what it asks for is not there.

    where: the key of `sample`.
    """
    weights = _weights(split, sample.weights, given)
    if weights is None and sample.classes == "own" and sample.positives is None:
        return None
    count = len(split.train)
    seen = [
        row for row, weight in zip(split.present, weights or repeat(1.0), strict=False) if weight
    ]
    if not seen:
        raise DataError(f"{where}.weights: all training images of {split.name} have weight 0")
    if sample.classes == "balanced":
        having = zip(classes, zip(*seen, strict=True), strict=True)
        _check_classes(where, [name for name, column in having if not any(column)], split)
    if sample.positives is not None:
        _check_positives(where, sample.positives, [any(row) for row in seen], split)
    return SampleFacts(count, weights, split.present)


def _check_classes(where: str, lacking: Sequence[str], split: FoldSplit) -> None:
    if lacking:
        raise DataError(
            f"{where}.classes: balanced asks for crops with {listed(lacking)}, and no training "
            f"image of {split.name} (with a weight) has any; set classes: own, or leave the class "
            "out of data.classes"
        )


def _check_positives(
    where: str, positives: tuple[float, float], filled: Sequence[bool], split: FoldSplit
) -> None:
    for needed, there, kind in (
        (max(positives) > 0, any(filled), "with foreground"),
        (min(positives) < 1, not all(filled), "without foreground"),
    ):
        if needed and not there:
            raise DataError(
                f"{where}.positives: {list(positives)} asks for images {kind}, and {split.name} "
                "has none to train on; leave positives out"
            )


def _weights(
    split: FoldSplit, wish: ImageWeights, given: Weights | None
) -> tuple[float, ...] | None:
    if given is not None:
        return tuple(given[sample.id] for sample in split.train)
    if wish.inverse_frequency is None:
        return None
    values = split.rows[wish.inverse_frequency]
    counts = Counter(values)
    return tuple(1 / counts[each] for each in values)
