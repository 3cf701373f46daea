"""Columns of tables that models learn beside their masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.config import DataConfig, GroupTable
from pipeline.config.auxiliary import ColumnOutput
from pipeline.data.row_keys import as_matched
from pipeline.data.tables import read_table
from pipeline.errors import DataError
from pipeline.models.auxiliary.target import Column
from pipeline.stages.context import StageContext
from pipeline.stages.parts.fold_split import FoldSplit
from pipeline.training.auxiliary.targets import ColumnValues

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Cells, in lower case, that say nothing."""
MOST_CLASSES = 1000
LEAST_SPREAD = 1e-9
"""Of numbers, relative to the largest: below it, a column is the same everywhere."""

Cells = Mapping[str, tuple[str, str]]
"""Id → where a cell stands, and what is in it."""


def columns_of(context: StageContext, split: FoldSplit, model: str) -> tuple[ColumnValues, ...]:
    """The values of a model's columns for the images that a member learns from.

    DataError for a table or column that does not exist, and for one that there is nothing to learn
    from. Values of images that are held out are not looked at.
    """
    experiment = context.experiment
    found = []
    for number, output in enumerate(experiment.models[model].auxiliary):
        if isinstance(output, ColumnOutput):
            place = f"models.{model}.auxiliary[{number}]"
            found.append(_values(experiment.data, output, split, place))
    return tuple(found)


def _values(data: DataConfig, output: ColumnOutput, split: FoldSplit, place: str) -> ColumnValues:
    path, key, form = _table(data, output)
    cells = _cells(path, key, output.column, place)
    keys = [form.replace("{id}", sample.id) for sample in split.train]
    there = [cells.get(as_matched(each), ("", "")) for each in keys]
    if all(cell.lower() in MISSING for _, cell in there):
        raise DataError(
            f"{place}: {path} has no value of {output.column!r} for any training image of "
            f"{split.name}; its column {key!r} should hold ids such as {keys[0]!r}"
        )
    if output.as_ == "classification":
        return _classes(output, there, split, place)
    return _numbers(output, there, split, place)


def _table(data: DataConfig, output: ColumnOutput) -> tuple[Path, str, str]:
    """The file, its column of ids, and their form."""
    group = data.group
    if output.csv is not None:
        return data.root / output.csv, output.id or "id", "{id}"
    assert isinstance(group, GroupTable)
    return data.root / group.csv, output.id or group.id, group.key


def _cells(path: Path, key: str, column: str, place: str) -> Cells:
    try:
        table = read_table(path, (key, column))
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    cells: dict[str, tuple[str, str]] = {}
    for row, name, cell in zip(table.rows, table[key], table[column], strict=True):
        where, text = f"{path}, line {row.line}", cell.strip()
        before = cells.setdefault(as_matched(name), (where, text))
        if before[1] != text:  # a table may have several rows an image: of its classes, say
            raise DataError(
                f"{place}: {where}: {column} of {name!r} is {text!r}, and {before[1]!r} in another "
                "row; an image has one value"
            )
    return cells


def _numbers(
    output: ColumnOutput, there: list[tuple[str, str]], split: FoldSplit, place: str
) -> ColumnValues:
    numbers = np.array([_number(output, cell, place) for cell in there])
    mean, deviation = float(np.nanmean(numbers)), float(np.nanstd(numbers))
    if deviation <= LEAST_SPREAD * max(1e-30, float(np.nanmax(np.abs(numbers)))):
        raise _same_everywhere(output, f"{mean:g}", split, place)
    standard = (numbers - mean) / deviation
    return ColumnValues(tuple(standard.tolist()), Column(mean, deviation))


def _number(output: ColumnOutput, cell: tuple[str, str], place: str) -> float:
    where, text = cell
    if text.lower() in MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not abs(value) < 1e30:
        raise DataError(
            f"{place}: {where}: {output.column} is {text!r}, which is no number; set as: "
            "classification, or leave the cell empty"
        )
    return value


def _classes(
    output: ColumnOutput, there: list[tuple[str, str]], split: FoldSplit, place: str
) -> ColumnValues:
    known = sorted({cell for _, cell in there if cell.lower() not in MISSING})
    if len(known) == 1:
        raise _same_everywhere(output, known[0], split, place)
    if len(known) > MOST_CLASSES:
        raise DataError(
            f"{place}: {output.column!r} has {len(known)} different values, and at most "
            f"{MOST_CLASSES} can be classes; set as: regression"
        )
    numbers = {name: float(number) for number, name in enumerate(known)}
    values = tuple(numbers.get(cell, math.nan) for _, cell in there)
    return ColumnValues(values, Column(classes=tuple(known)))


def _same_everywhere(output: ColumnOutput, value: str, split: FoldSplit, place: str) -> DataError:
    return DataError(
        f"{place}: {output.column!r} is {value} for all training images of {split.name} that have "
        "a value, so there is nothing to learn; leave the output out"
    )
