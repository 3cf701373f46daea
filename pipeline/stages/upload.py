"""upload: sends a submission to Kaggle and records the public score that it gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import ArtefactError, ResourceError
from pipeline.kaggle.client import call_kaggle, submissions
from pipeline.kaggle.slugs import check_slug
from pipeline.stages import leaderboard
from pipeline.stages.context import StageContext
from pipeline.stages.parts.notes import read_note, submission_of

POLL_S = 20.0
LONGEST_S = 3600.0


def run(
    context: StageContext,
    competition: str,
    label: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send the submission called `label` (default: the newest) with its label and nested score as
    message, wait for its score, and record it.

    One that was sent before, by its label, is not sent again: its score is looked up.
    """
    started = time.monotonic()
    slug = check_slug("COMPETITION", competition)
    note_path = leaderboard.note_of_label(context, label)
    path = _submission(note_path)
    if _sent(slug, note_path.stem) is None:
        nested = read_note(note_path).facts.get("score", {}).get("nested")
        message = note_path.stem + (f" nested {nested:.5f}" if nested is not None else "")
        call_kaggle(
            "competitions", "submit", slug, "-f", str(path), "-m", message, competition=slug
        )
        context.done("upload", message, path, started)
    score = _score(context, slug, note_path.stem, sleep)
    if score:
        leaderboard.run(context, score, note_path.stem)


def _submission(note: Path) -> Path:
    found = submission_of(note)
    if found is None:
        raise ArtefactError(f"{note.with_suffix('')}: there is no file to send; run make submit")
    if found.is_dir():
        raise ArtefactError(f"{found} is a folder, and Kaggle takes one file; pack it as a zip")
    return found


def _sent(competition: str, label: str) -> dict[str, str] | None:
    """What Kaggle says of the submission whose message begins with its label."""
    for each in submissions(competition):
        if each.get("description", "").split(" ")[0] == label:
            return each
    return None


def _score(
    context: StageContext, competition: str, label: str, sleep: Callable[[float], None]
) -> str:
    """The public score; "" where there is none yet after an hour. ResourceError where it failed."""
    waited = 0.0
    while waited <= LONGEST_S:
        found = _sent(competition, label) or {}
        status = found.get("status", "").lower()
        if "error" in status or "invalid" in status:
            raise ResourceError(
                f"{label}: Kaggle could not score it ({found['status']}); its page says why"
            )
        if found.get("publicScore", "").strip():
            return found["publicScore"].strip()
        if "complete" in status:
            break
        sleep(POLL_S)
        waited += POLL_S
    context.reporter.warn(
        f"{label}: Kaggle shows no score yet; run make upload again later, or make leaderboard"
    )
    return ""
