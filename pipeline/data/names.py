"""Ids that tables cannot hold, or that other programs take for something else."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pipeline.config import DataConfig
from pipeline.config.patterns import breaks_lines
from pipeline.data.catalog import Catalog, listed
from pipeline.errors import DataError

_LONGEST = 200  # bytes: files named by an id have an ending and, while they are written, a prefix
_FORMULA = re.compile(r"[=+@-]")
_NUMBER = re.compile(r"[-+]?\d*[.,]?\d*([eE][-+]?\d+)?")


def refuse_unwritable(catalog: Catalog, data: DataConfig) -> None:
    """DataError for ids that would be lost or others in a fold table or a submission."""
    for samples, key in ((catalog.train, "images"), (catalog.test, "test")):
        if problems := list(_unwritable([sample.id for sample in samples], data)):
            raise DataError(f"data.{key}: " + "; ".join(problems))


def _unwritable(ids: Sequence[str], data: DataConfig) -> Iterator[str]:
    not_utf8 = [each for each in ids if not _is_unicode(each)]
    if not_utf8:
        yield f"file names are not UTF-8: {listed(not_utf8)}; rename them"
    controlled = [each for each in ids if _is_unicode(each) and breaks_lines(each)]
    if controlled:
        yield f"ids hold line breaks or control characters: {listed(controlled)}; rename the files"
    long = [each for each in ids if len(os.fsencode(each)) > _LONGEST] if data.reference else []
    if long:
        yield f"ids are longer than {_LONGEST} bytes: {listed(long, most=1)}; rename the files"
    alike: dict[str, list[str]] = defaultdict(list)
    for each in ids:
        alike[unicodedata.normalize("NFC", each.strip())].append(each)
    for some in alike.values():
        if len(some) > 1:
            shown = " and ".join(map(ascii, some))
            yield f"ids differ only in outer blanks or Unicode form: {shown}; rename one"


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def oddities(names: Iterable[str]) -> Iterator[str]:
    """What may go wrong with names that tables can hold, when other programs read them."""
    names = list(dict.fromkeys(names))
    blank = [each for each in names if each != each.strip()]
    if blank:
        yield f"{len(blank)} begin or end with a blank: {listed(blank)}"
    formulas = [each for each in names if runs_as_formula(each)]
    if formulas:
        yield (
            f"{len(formulas)} begin with =, +, - or @, which spreadsheets run as a formula: "
            f"{listed(formulas)}; do not open tables with them in a spreadsheet"
        )


def runs_as_formula(name: str) -> bool:
    """Whether a spreadsheet takes a cell of that text for a formula. Negative numbers are none."""
    text = name.lstrip()
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
