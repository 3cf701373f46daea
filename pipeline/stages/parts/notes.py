"""The note beside a submission: its inputs, and what a person has added to it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.reading import parse_yaml
from pipeline.errors import ArtefactError, ConfigError

SCORE = "leaderboard"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SCORE_LINE = re.compile(rf"^{SCORE}:[ \t]*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Note:
    """The content of a note; a damaged one keeps its comments and possibly a score."""

    facts: dict[str, Any] = field(default_factory=dict)
    comments: tuple[str, ...] = ()
    """Its lines of comment."""
    damage: str = ""
    """Why it cannot be read, or ""."""


def note_of(submission: Path) -> Path:
    """The path of the note beside a submission."""
    return submission.with_suffix(".yaml")


def submission_of(note: Path) -> Path | None:
    """The file or folder that a note is beside; None where it is gone."""
    folder, label = note.parent, note.stem
    beside = [*folder.glob(f"{escape(label)}.*"), folder / label]
    found = [each for each in beside if each.exists() and each.suffix not in (".yaml", ".damaged")]
    return found[0] if found else None


def read_note(path: Path) -> Note:
    """The note at `path`; an empty one where there is none."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return Note()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}; remove it") from None
    comments = tuple(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))
    try:
        facts = parse_yaml(text, str(path))
    except ConfigError:
        return Note(_salvaged(text), comments, "it is not YAML")
    if not isinstance(facts, dict):
        return Note({}, comments, "it is empty" if facts is None else "it is not a YAML mapping")
    return Note(facts, (*comments, *_comments_at_ends(text)))


def note_text(facts: dict[str, Any], old: Note) -> str:
    """A note of `facts`, with the score, the other keys and the comments that `old` has besides."""
    own = {key: value for key, value in old.facts.items() if key not in facts}
    said = {**facts, SCORE: own.pop(SCORE, None), **own}
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
    return text + "".join(f"{line}\n" for line in old.comments)


def says(note: Note, facts: dict[str, Any]) -> bool:
    """True if a note says all of `facts`."""
    return all(
        key in note.facts and yaml.safe_dump(note.facts[key]) == yaml.safe_dump(value)
        for key, value in facts.items()
    )


def as_score(value: object) -> float | None:
    """A score as a person writes it, or None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    number = float(text) if _NUMBER.fullmatch(text) and text.isascii() else math.nan
    return number if math.isfinite(number) else None


def _comments_at_ends(text: str) -> Iterator[str]:
    """The comments behind values of one line each, such as `leaderboard: 0.99  # private 0.98`."""
    for line in text.splitlines():
        for found in re.finditer(r"(?<=\s)#", line.strip()):
            before, after = line.strip()[: found.start()], line.strip()[found.start() :]
            with suppress(ConfigError):
                if before and parse_yaml(before, "") == parse_yaml(line, ""):
                    yield after
                    break


def _salvaged(text: str) -> dict[str, Any]:
    """The score that a damaged note has, if it has just one."""
    scores = {as_score(found) for found in _SCORE_LINE.findall(text)} - {None}
    return {SCORE: scores.pop()} if len(scores) == 1 else {}
