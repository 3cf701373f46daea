"""Ids that tables cannot store, or that other programs misread."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import category

from pipeline.config import DataConfig
from pipeline.config.patterns import breaks_lines
from pipeline.data.catalog import Catalog
from pipeline.data.listing import enumerated, listed
from pipeline.data.row_keys import as_matched
from pipeline.errors import DataError

_LONGEST = 200  # bytes: files named by an id have an ending and, while they are written, a prefix
_ENDING = re.compile(r"\.(png|jpe?g|tiff?|bmp|gif|webp|jp2|avif)$", re.IGNORECASE)
_FORMULA = re.compile(r"[=+@-]")
_NUMBER = re.compile(r"[-+]?\d*[.,]?\d*([eE][-+]?\d+)?")


def refuse_unwritable(catalog: Catalog, data: DataConfig) -> None:
    """DataError for ids that would be lost or others in a fold table or a submission."""
    for samples, key in ((catalog.train, "images"), (catalog.test, "test")):
        if problems := list(_unwritable([sample.id for sample in samples], data)):
            raise DataError(f"data.{key}: " + "; ".join(problems))


def _unwritable(ids: Sequence[str], data: DataConfig) -> Iterator[str]:
    controlled = [each for each in ids if breaks_lines(each)]
    if controlled:
        yield f"ids have line breaks or control characters: {listed(controlled)}; rename the files"
    long = [each for each in ids if len(os.fsencode(each)) > _LONGEST] if data.reference else []
    if long:
        yield f"ids are longer than {_LONGEST} bytes: {listed(long, most=1)}; rename the files"
    alike: dict[str, list[str]] = defaultdict(list)
    for each in ids:
        alike[as_matched(each)].append(each)
    for some in alike.values():
        if len(some) > 1:
            shown = " and ".join(map(ascii, some))
            yield f"ids differ only in spaces at the ends or in Unicode form: {shown}; rename one"


def oddities(names: Iterable[str]) -> Iterator[str]:
    """Problems that valid names may cause when other programs read them."""
    names = list(dict.fromkeys(names))
    blank = [each for each in names if each != each.strip()]
    if blank:
        yield f"{len(blank)} begin or end with a space: {listed(blank)}"
    unseen = [each for each in names if any(category(letter) == "Cf" for letter in each)]
    if unseen:
        texts = enumerated([ascii(each) for each in unseen])
        yield f"{len(unseen)} contain letters that cannot be seen: {texts}; rename the files"
    doubled = [each for each in names if _ENDING.search(each)]
    if doubled:
        yield (
            f"{len(doubled)} end in a file suffix, as if it were doubled: {listed(doubled)}; "
            "rename the files if tables use other ids"
        )
    formulas = [each for each in names if runs_as_formula(each)]
    if formulas:
        yield (
            f"{len(formulas)} begin with =, +, - or @, which spreadsheets treat as a formula: "
            f"{listed(formulas)}; do not open tables with them in a spreadsheet"
        )


def runs_as_formula(name: str) -> bool:
    """True if a spreadsheet takes a cell of that text for a formula. Negative numbers are none."""
    text = name.lstrip()
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
