"""The form in which a column of a table names images, and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeline.data.row_keys import as_matched
from pipeline.proposal.tables import Table

_FIRST_LOOK = 200  # cells
_ENOUGH = 0.5  # share of cells that name these images; others may name those of another part


@dataclass(frozen=True)
class KeyColumn:
    """A column half of whose cells, or more, name images."""

    name: str
    form: str
    """As `submission.key` has it: `{id}`, `{id}.jpg`, `{id}_{class}` …"""
    ids: tuple[str, ...]
    """Of each row that is looked at; "" where its key has another form."""
    classes: tuple[str, ...] = ()
    """Those that keys name, in their order."""
    share: float = 1.0
    """Of the rows whose key names one of the images, in that form."""

    @property
    def is_repeated(self) -> bool:
        """True if an image has several rows."""
        known = [each for each in self.ids if each]
        return len(set(known)) < len(known)

    @property
    def said_share(self) -> str:
        """For people: how much of the column names images; "" if all does."""
        return "" if self.share == 1 else f" ({self.share:.1%} of its rows)"


class Ids:
    """The ids of images, to be found in keys."""

    def __init__(self, ids: Collection[str], head: str = "", tail: str = "") -> None:
        self._ids = {as_matched(each): each for each in ids}
        self._head, self._tail = head, tail

    def split(self, cell: str) -> tuple[str, str, str] | None:
        """(id, form, class) of a key."""
        key = as_matched(cell)
        if (found := self._known(key)) is not None:
            return (*found, "")
        for at in (at for at, letter in enumerate(key) if letter in "_-:| "):
            found, name = self._known(key[:at]), key[at + 1 :]
            if found is not None and name and "." not in name:
                return found[0], f"{found[1]}{key[at]}{{class}}", name
        return None

    def _known(self, text: str) -> tuple[str, str] | None:
        """(id, form) of a key without a class; it may be a path."""
        folder, slash, text = text.rpartition("/")
        found = self._named(text)
        return (found[0], f"{folder}{slash}{found[1]}") if found else None

    def _named(self, text: str) -> tuple[str, str] | None:
        stem, dot, ending = text.rpartition(".")
        for name, behind in (
            (text, ""),
            (stem, f".{ending}") if dot and ending.isalnum() else ("", ""),
        ):
            if name in self._ids:
                return self._ids[name], f"{{id}}{behind}"
            inner = name[len(self._head) : len(name) - len(self._tail)]
            if inner in self._ids and f"{self._head}{inner}{self._tail}" == name:
                return self._ids[inner], f"{self._head}{{id}}{self._tail}{behind}"
        return None


def find_keys(table: Table, ids: Ids, columns: Iterable[str]) -> KeyColumn | None:
    """The first column that names images, in one form."""
    for name in columns:
        found = _keys(name, table.column(name), ids)
        if found is not None:
            return found
    return None


def _keys(name: str, cells: Sequence[str], ids: Ids) -> KeyColumn | None:
    few = cells[:: max(1, len(cells) // _FIRST_LOOK)]
    if not any(map(ids.split, few)):
        return None
    split = [ids.split(each) for each in cells]
    forms = Counter(each[1] for each in split if each)
    if not forms:
        return None
    form, count = forms.most_common(1)[0]
    own = [each if each and each[1] == form else ("", "", "") for each in split]
    classes = dict.fromkeys(each[2] for each in own if each[2])
    share = count / len(cells)
    if share < _ENOUGH:
        return None
    return KeyColumn(name, form, tuple(each[0] for each in own), tuple(classes), share)
