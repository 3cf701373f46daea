"""What `train.sample` needs to know of a member's training images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path

from pipeline.config import ModelConfig
from pipeline.config.sampling import ImageWeights
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.data.tables import read_table
from pipeline.errors import DataError
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.training.sampling import SampleFacts

Weights = Mapping[str, float]


def given_weights(context: StageContext, survey: Survey) -> dict[str, Weights]:
    """Model → the weights (by id) of its table, for the chosen models that have one.

    DataError for a table that does not name each training image, or others, or says no weight.
    """
    data, tables = context.experiment.data, {}
    wishes = {
        name: context.experiment.models[name].train.sample.weights for name in context.models()
    }
    known = {*survey.catalog.by_id["train"], *survey.catalog.by_id["test"], *data.drop}
    for wish in wishes.values():
        if wish.csv is not None and wish not in tables:
            tables[wish] = _read(data.root / wish.csv, wish, survey, known)
    return {name: tables[wish] for name, wish in wishes.items() if wish.csv is not None}


def _read(path: Path, wish: ImageWeights, survey: Survey, known: set[str]) -> Weights:
    table = read_table(path, (wish.id, wish.weight))
    by_name = {as_matched(each): each for each in known}
    weights: dict[str, float] = {}
    for row, name, cell in zip(table.rows, table[wish.id], table[wish.weight], strict=True):
        where, found = f"{path}, line {row.line}", by_name.get(as_matched(name))
        if found is None:
            raise DataError(f"{where}: there is no image {name!r}; its weight would do nothing")
        if found in weights:
            raise DataError(f"{where}: {name!r} has a weight already; remove one of the two rows")
        weights[found] = _number(cell, where, wish.weight)
    if missing := [each for each in survey.catalog.by_id["train"] if each not in weights]:
        raise DataError(
            f"{path} has no weight for {listed(missing)}; write 1 for an ordinary image"
        )
    return weights


def _number(cell: str, where: str, column: str) -> float:
    try:
        weight = float(cell)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < 1e9:
        raise DataError(f"{where}: {column} is {cell!r}, and a weight is a number from 0 to 1e9")
    return weight


def facts_of(
    context: StageContext, split: FoldSplit, model: str, given: Weights | None
) -> SampleFacts | None:
    """None where sampling needs to know nothing. DataError where what it asks for is not there."""
    config: ModelConfig = context.experiment.models[model]
    sample, classes = config.train.sample, context.experiment.data.class_names
    weights = _weights(split, sample.weights, given)
    if weights is None and sample.classes == "own" and sample.positives is None:
        return None
    where, count = f"models.{model}: train.sample", len(split.train)
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
