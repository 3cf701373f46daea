"""Looks at every worker before it gets work, and says what is wrong with which host."""

from __future__ import annotations

import fcntl
import heapq
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.cluster.facts import Facts, Question, appears, file_head, versions

MOST_SKEW_S = 60.0
LEAST_BYTES = 2**28
"""Of the local disk of a worker, for temporary files."""
FILES_A_FOLDER, FOLDERS = 2, 8


@dataclass(frozen=True)
class Answer:
    """What a worker said, and when by the driver's clock."""

    facts: Facts
    asked: float
    answered: float


@contextmanager
def question(runs: Path, data: Path | None) -> Iterator[Question]:
    """A question for all workers; the block may look for their answers below `runs`.

    runs: the folder that all machines are to share; data: that of the data, if it is there.
    """
    folder, secret = runs.absolute() / ".probe" / secrets.token_hex(8), secrets.token_hex(8)
    folder.mkdir(parents=True)
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "driver").write_text(secret)
            yield Question(Path.cwd(), folder, secret, some_files(data))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def some_files(data: Path | None) -> dict[Path, str]:
    """A few files of the data, and the digest of each: the first ones of a few folders."""
    found: dict[Path, str] = {}
    folders = [] if data is None or not data.is_dir() else [data.absolute()]
    for folder in folders:  # grows meanwhile
        with os.scandir(folder) as entries:
            names = heapq.nsmallest(64, ((each.name, each.is_dir()) for each in entries))
        files = [folder / name for name, is_folder in names if not is_folder]
        found |= {path: file_head(path) for path in files[:FILES_A_FOLDER]}
        inner = [folder / name for name, is_folder in names if is_folder]
        folders += inner[: FOLDERS - len(folders)]
    return found


def problems(asked: Question, answer: Answer, mine: Mapping[str, str] | None = None) -> list[str]:
    """What keeps that worker from working with this driver, each as a line that names the host.

    mine: the versions here (default: as they are).
    """
    found = answer.facts
    lines = [*_other_versions(versions() if mine is None else mine, found.versions)]
    skew = max(answer.asked - found.clock, found.clock - answer.answered)
    if skew > MOST_SKEW_S:
        lines.append(f"its clock is off by {skew:.0f} s; set it by NTP")
    if found.temporary < LEAST_BYTES:
        lines.append(f"{found.temporary:,} bytes are free for temporary files; make room")
    lines += _disk_problems(asked, found)
    return [f"{found.host}: {line}" for line in lines]


def warnings(asked: Question, found: Facts) -> list[str]:
    """What does not keep it from working."""
    if found.secret_seen and not found.locked_out:
        return [
            f"{found.host}: a lock of this machine does not hold there; never run two `make` on "
            f"one runs/ at once (mount {asked.probe.parents[1]} with cluster-wide locks)"
        ]
    return []


def shares_disk(asked: Question, found: Facts) -> bool:
    """True if driver and worker see what the other one writes."""
    return (
        found.folder_there
        and found.secret_seen
        and bool(found.wrote)
        and appears(asked.probe / found.wrote, found.wrote, asked.patience_s)
    )


def _other_versions(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    differing = [
        f"{name} is {theirs.get(name, 'missing')} there and {mine.get(name, 'missing')} here"
        for name in sorted(mine.keys() | theirs.keys())
        if mine.get(name) != theirs.get(name)
    ]
    if not differing:
        return []
    return [f"{'; '.join(differing)}. Install the same environment on all machines"]


def _disk_problems(asked: Question, found: Facts) -> Iterator[str]:
    runs = asked.probe.parents[1]
    if not found.folder_there:
        yield f"the folder {asked.folder} is not there; all machines need it at the same path"
    elif not found.secret_seen:
        yield f"what this machine writes to {runs} is not seen there; is it on a shared disk?"
    elif not found.wrote:
        yield f"{runs} cannot be written to"
    elif not appears(asked.probe / found.wrote, found.wrote, asked.patience_s):
        yield f"what it writes to {runs} is not seen here; is it on a shared disk?"
    for path in found.missing_data[:3]:
        yield f"{path} is not there, or is another file than here"


def answered(found: Facts, asked: float) -> Answer:
    """An answer that came just now."""
    return Answer(found, asked, time.time())
