"""leaderboard: writes the score of the competition beside its submission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.atomic_files import write_atomic
from pipeline.errors import ArtefactError, ConfigError
from pipeline.stages.context import StageContext
from pipeline.stages.parts.notes import (
    SCORE,
    as_score,
    note_of,
    note_text,
    read_note,
    submission_of,
)
from pipeline.suggestions import did_you_mean


def run(context: StageContext, score: str, label: str | None = None) -> None:
    """Record `score` for the submission called `label` (default: the newest)."""
    number = as_score(score)
    if number is None:
        point = "; use a decimal point, not a comma" if "," in score else ""
        raise ConfigError(
            f"SCORE={score!r} is not a number{point}; give the score that the competition shows, "
            "such as SCORE=0.9961"
        )
    path = note_of_label(context, label)
    with context.exclusive("submit"):
        note = read_note(path)
        if note.damage:
            raise ArtefactError(
                f"{path}: {note.damage}; make submit{context.arguments} rewrites it, then "
                "record the score again"
            )
        note.facts[SCORE] = number
        write_atomic(path, note_text({}, note))
    context.reporter.say(f"leaderboard: {number} → {path}; next: make scorecard{context.arguments}")


def note_of_label(context: StageContext, label: str | None) -> Path:
    """The note of that submission, or of the one that was written last."""
    folder = context.workspace.submissions
    notes = sorted(folder.glob("*.yaml"), key=_written)
    if not notes:
        others = sorted({path.parent.name for path in folder.parent.glob("*/*.yaml")})
        elsewhere = f" (there are some of {', '.join(others)}: CONFIG=)" if others else ""
        raise ArtefactError(
            f"there is no submission in {folder}{elsewhere}; run make submit{context.arguments}"
        )
    if label is None:
        return notes[-1]
    wanted = Path(label).name.split(".")[0]
    known = {path.stem: path for path in notes}
    if wanted not in known:
        raise ArtefactError(
            f"LABEL={label!r}: there is no such submission in {folder}{did_you_mean(wanted, known)}"
        )
    return known[wanted]


def _written(note: Path) -> tuple[bool, int, str]:
    """When a submission was written, for sorting. Its note may have been touched since."""
    found = submission_of(note)
    return found is not None, (found or note).stat().st_mtime_ns, note.stem


def recorded(submission: Path, warn: Callable[[str], None]) -> float | None:
    """The leaderboard score beside a submission, when one is known."""
    path = note_of(submission)
    written = read_note(path).facts.get(SCORE)
    score = as_score(written)
    if written is not None and score is None:
        warn(f"{path}: {SCORE}: {written!r} is not a number, so the scorecard ignores it")
    return score
