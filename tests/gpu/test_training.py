"""Training steps in every number format: finite, and they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from pipeline.execution.executor import JobContext
from pipeline.interruption import StopFlag
from pipeline.member_id import MemberId
from pipeline.reporting import JobProgress
from pipeline.stages import train
from pipeline.training.staged import train_member
from tests.helpers.competitions import context

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(
    ("precision", "colour_on"),
    [("fp32", "cpu"), ("bf16", "cpu"), ("fp16", "cpu"), ("bf16", "device")],
)
def test_the_loss_falls_in_every_format(
    device: str, discs: Path, tmp_path: Path, precision: str, colour_on: str
) -> None:
    """In fp16 gradients are scaled, and steps whose scale was too large are left out."""
    settings = {"epochs": 4, "steps": 15, "precision": precision, "ema": 0.9, "lr": 3e-3,
                "augment": {"colour_on": colour_on}}  # fmt: skip
    job = train.list_jobs(context(discs, tmp_path, train=settings))[MemberId("a", 0)]
    train_member(job, JobContext(device, JobProgress(tmp_path / "progress", "job"), StopFlag()))
    losses = pd.read_csv(job.paths.history)["loss"]
    assert np.isfinite(losses).all()
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]
    for path in job.paths.folder.glob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values()), path.name
