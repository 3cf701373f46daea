"""Groups of images that belong together: a table, or what ids begin with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from pipeline.proposal.findings import Alternative, Found, Sureness
from pipeline.proposal.keys import Ids, find_keys
from pipeline.proposal.tables import Table, others
from pipeline.proposal.words import GROUP

_SEPARATORS = "_-. "
_SHARED = 0.8  # of images share what their id begins with
_MOST_DEPTH = 4


def propose_groups(tables: Sequence[Table], ids: Collection[str], folds: int) -> Found:
    """`data.group`: a table where one says it, else what ids suggest."""
    tabled = [each for table in tables if (each := _in_table(table, ids, folds)) is not None]
    by_id = _by_prefix(ids, folds)
    if tabled:
        rest = (*tabled[1:], *([by_id] if by_id else []))
        more = tuple(Alternative(each.value, each.why) for each in rest)
        return Found("group", tabled[0].value, tabled[0].why, tabled[0].sureness, more)
    if by_id is None:
        why = "ids share no beginning, and no table names groups: every image is its own"
        example = Alternative(
            {"csv": "groups.csv"}, "if a table (id, group) says what belongs together"
        )
        return Found("group", None, why, "guess", (example,))
    if by_id.sureness == "guess":
        more = (Alternative(by_id.value, by_id.why), *by_id.alternatives)
        return Found("group", None, "every image is its own; ids may say more", "guess", more)
    return by_id


def _in_table(table: Table, ids: Collection[str], folds: int) -> Found | None:
    if table.is_sample or table.run_column:
        return None
    keys = find_keys(table, Ids(ids), table.header)
    if keys is None or keys.form != "{id}" or keys.is_repeated or not set(ids) <= set(keys.ids):
        return None
    for name in others(table.header, keys.name):
        cells = zip(keys.ids, table.column(name), strict=False)
        count = len({cell.strip() for each, cell in cells if each})
        called = GROUP.search(name) or (len(table.header) == 2 and GROUP.search(table.path))
        if called and 1 < count < len(ids):
            value = {"csv": table.path, "id": keys.name, "group": name}
            value = {key: each for key, each in value.items() if key == "csv" or each != key}
            why = f"{table.path} names {count} groups of {len(ids)} images"
            return Found("group", value, why, "sure" if "group" in name.lower() else "likely")
    return None


def _by_prefix(ids: Collection[str], folds: int) -> Found | None:
    """The coarsest beginning of ids that many of them share, and the finer ones."""
    found = [each for depth in range(1, _MOST_DEPTH + 1) if (each := _at_depth(ids, depth))]
    enough = [each for each in found if each[1] >= folds] or found
    if not enough:
        return None
    regex, count, sureness = enough[0]
    more = tuple(
        Alternative(other, f"{number} groups") for other, number, _ in found if other != regex
    )
    return Found("group", regex, _said(count, ids), sureness, more)


def _said(count: int, ids: Collection[str]) -> str:
    example = min(ids)
    return f"ids such as {example} begin alike: {count} groups of {len(ids)} images"


def _at_depth(ids: Collection[str], depth: int) -> tuple[str, int, Sureness] | None:
    """(regex, groups, how sure) of ids cut behind that many words."""
    separators = Counter(letter for each in ids for letter in each if letter in _SEPARATORS)
    if not separators:
        return None
    separator = separators.most_common(1)[0][0]
    word = f"[^{re.escape(separator)}]+"
    mark = re.escape(separator) if separator == "." else separator
    regex = f"^({mark.join([word] * depth)}){mark}"
    wanted = re.compile(regex)
    starts = [match[1] for each in ids if (match := wanted.match(each))]
    sizes = Counter(starts)
    if len(starts) < len(ids) or len(sizes) < 2 or len(sizes) > len(ids) / 2:
        return None
    shared = sum(size for size in sizes.values() if size > 1) / len(ids)
    if shared < _SHARED:
        return None
    sure: Sureness = "guess" if max(sizes.values()) > len(ids) / 2 else "likely"
    return regex, len(sizes), sure
