"""export: a trained model in a format that other programs read, checked against the predictor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.stages.context import StageContext


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    model: str | None
    fold: int | None
    format: str
    out: Path | None


def run(context: StageContext, folder: Path, request: Request) -> Path:
    raise NotImplementedError
