"""Keys of samples and classes in tables of run lengths, given or submitted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.config import RowKeys
from pipeline.data.listing import enumerated, quoted

Key = tuple[str, str]  # what a table calls a sample and, where it has a column for it, a class


def as_matched(name: str) -> str:
    """The form of a name for matching cells: spaces at the ends and the Unicode form are ignored.

    An accent can be a letter's own or follow it (macOS writes file names so); both look the same.
    """
    return unicodedata.normalize("NFC", name.strip())


def table_key(table: RowKeys, sample_id: str, class_name: str) -> Key:
    """The key of a (sample, class) in a table. An id may itself contain `{class}`."""
    said = {"{id}": sample_id, "{class}": class_name}
    key = re.sub(r"\{id\}|\{class\}", lambda found: said[found[0]], table.key)
    return key, class_name if table.class_ else ""


def stripped(key: Key) -> Key:
    """A key as keys are matched: without outer blanks, which tables have by accident."""
    return as_matched(key[0]), as_matched(key[1])


def named(key: Key) -> str:
    """A key in quotes, for messages."""
    return f"{key[0]!r} of class {key[1]!r}" if key[1] else repr(key[0])


def listed_keys(keys: Sequence[Key]) -> str:
    """The first few keys and how many more there are."""
    texts = [f"{quoted(key)}{f' of class {quoted(name)}' if name else ''}" for key, name in keys]
    return enumerated(texts)
