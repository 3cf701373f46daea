"""Durations of stages, a line each time one had something to do."""

from __future__ import annotations

import csv
import io
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HEADER = "stage,seconds,finished,made\n"


@dataclass(frozen=True)
class Spent:
    """Total duration of a stage, over all runs that had something to do."""

    stage: str
    seconds: float
    times: int
    finished: str
    """When it last ended, UTC."""
    made: str
    """Its result then."""


def record(path: Path, stage: str, seconds: float, made: str) -> None:
    """Append a line for the report; errors of the disk are ignored here."""
    line = io.StringIO()
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    csv.writer(line, lineterminator="\n").writerow([stage, f"{seconds:.3f}", now, made])
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            # in one write, so that lines of two makes do not mix
            file.write(line.getvalue() if file.tell() else HEADER + line.getvalue())


def spent(path: Path) -> list[Spent]:
    """By stage, in the order in which they first ended; lines that were damaged are left out."""
    found: dict[str, Spent] = {}
    with suppress(OSError, UnicodeDecodeError, csv.Error):
        for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            with suppress(KeyError, TypeError, ValueError):
                stage, seconds = line["stage"], float(line["seconds"])
                before = found.get(stage, Spent(stage, 0.0, 0, "", ""))
                found[stage] = Spent(
                    stage,
                    before.seconds + seconds,
                    before.times + 1,
                    line["finished"],
                    line["made"],
                )
    return list(found.values())
