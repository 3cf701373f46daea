"""leaderboard: writes a score that the competition gave beside the submission that got it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ArtefactError, ConfigError
from pipeline.stages.context import StageContext
from pipeline.workspace import write_atomic


def run(context: StageContext, score: float, label: str | None = None) -> None:
    """Record `score` for the submission called `label` (default: the newest)."""
    if not math.isfinite(score):
        raise ConfigError(f"SCORE={score} is not a number")
    note = _note(context, label)
    facts = yaml.safe_load(note.read_text())
    write_atomic(note, yaml.safe_dump({**facts, "leaderboard": score}, sort_keys=False))
    context.reporter.say(f"leaderboard: {score} → {note}; next: make scorecard{context.arguments}")


def _note(context: StageContext, label: str | None) -> Path:
    folder = context.workspace.submissions
    notes = sorted(folder.glob("*.yaml"), key=lambda path: path.stat().st_mtime_ns)
    if label is not None:
        notes = [path for path in notes if path.stem == label]
    if not notes:
        raise ArtefactError(f"there is no submission {label or ''} in {folder}; run make submit")
    return notes[-1]


def recorded(path: Path) -> float | None:
    """The leaderboard score beside a submission, when one is known."""
    note = path.with_suffix(".yaml")
    facts: dict[str, Any] = yaml.safe_load(note.read_text()) if note.is_file() else {}
    return facts.get("leaderboard")
