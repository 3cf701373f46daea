"""What a job leaves behind when it fails."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from pipeline.errors import MaskmillError, ResourceError, TrainingError
from pipeline.execution.jobs import Job, JobContext, run_job
from tests.helpers.training_jobs import job_context


class Held:
    """Something that holds itself, as a run and its loader hold each other."""

    def __init__(self) -> None:
        self.itself = self


def fail(held: list[weakref.ref[Held]], again: bool, _: JobContext) -> None:
    own = Held()
    held.append(weakref.ref(own))
    try:
        raise TrainingError("the first error")
    except TrainingError as error:
        if again:
            raise ResourceError("the second error") from error
        raise


@pytest.mark.parametrize("again", [False, True])
def test_nothing_that_a_failed_job_held_outlives_its_outcome(again: bool, tmp_path: Path) -> None:
    """Or its process might be ended while the queues of a loader are still there."""
    held: list[weakref.ref[Held]] = []
    gc.disable()  # nobody else collects it
    try:
        outcome = run_job(Job("a", fail, (held, again)), job_context(tmp_path))
        assert held[0]() is None
    finally:
        gc.enable()
    assert isinstance(outcome.error, MaskmillError)
    assert str(outcome.error) == ("the second error" if again else "the first error")
