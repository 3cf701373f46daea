"""The rows that a tracker has logged, kept on disk, so that none is logged twice."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from pipeline.atomic_files import write_atomic
from pipeline.tracking.sources import TrackedRow


class LoggedRows:
    """The rows of one run that one tracker has logged; number: how often it was restarted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.id, self.number, self.texts = secrets.token_hex(8), 1, list[str]()
        try:
            known = json.loads(path.read_text())
            self.texts = [str(text) for text in known["rows"]]
            self.id, self.number = str(known["id"]), int(known["number"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # a run of its own is begun

    def pending(self, rows: Sequence[TrackedRow]) -> list[TrackedRow]:
        """The rows that the tracker lacks; all rows of a training that was restarted."""
        texts = [row.text for row in rows]
        if texts == self.texts[: len(texts)]:
            return []
        if self.texts != texts[: len(self.texts)]:
            self.id, self.number, self.texts = secrets.token_hex(8), self.number + 1, []
        return list(rows[len(self.texts) :])

    def add(self, row: TrackedRow) -> None:
        """Remember, at once and on disk, that the tracker has taken the row."""
        self.texts.append(row.text)
        content = {"id": self.id, "number": self.number, "rows": self.texts}
        write_atomic(self._path, json.dumps(content) + "\n")
