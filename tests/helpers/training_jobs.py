"""A training job of tiny discs, and what running it takes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.execution.executor import JobContext
from pipeline.interruption import StopFlag
from pipeline.member_id import MemberId
from pipeline.reporting import JobProgress
from pipeline.stages import train
from pipeline.stages.parts import decoded_samples
from pipeline.training.member import TrainJob
from tests.helpers.competitions import TINY, context


def train_job(
    discs: Path,
    folder: Path,
    decoder: str = "linknet",
    model: Mapping[str, Any] | None = None,
    **training: Any,
) -> TrainJob:
    """model: further keys of it."""
    blocks = {
        "size": [32, 32], "epochs": 2, "batch": 4, "ema": 0.9, "lr": 3e-3, "validate": {"every": 1},
        **training,
    }  # fmt: skip
    stage = context(
        discs, folder, train=blocks, models={"a": {"decoder": decoder, **TINY, **(model or {})}}
    )
    (job,) = decoded_samples.placed(stage, [train.list_jobs(stage)[MemberId("a", 0)]])
    return job


def job_context(folder: Path, stop: StopFlag | None = None) -> JobContext:
    flag = StopFlag() if stop is None else stop
    return JobContext("cpu", JobProgress(folder / "progress", "job"), flag)


def member_bytes(folder: Path) -> dict[str, str]:
    """A checksum of every file of a member; of history and manifest, without how long it waited."""
    contents = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    }
    if "history.csv" in contents:
        table = pd.read_csv(io.BytesIO(contents["history.csv"])).drop(columns="waiting")
        contents["history.csv"] = table.to_csv(index=False).encode()
    if "manifest.json" in contents:
        facts = json.loads(contents["manifest.json"])
        facts["history"] = contents["history.csv"].decode()
        del facts["files"]["history.csv"], facts["seal"]
        contents["manifest.json"] = json.dumps(facts).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


class StopAtStep(StopFlag):
    """A signal that arrives after a number of looks between steps."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def __bool__(self) -> bool:
        self._left -= 1
        if self._left <= 0:
            self.signal_number = 15
        return self.signal_number != 0
