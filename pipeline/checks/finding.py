"""One finding about a competition's data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One problem: an error stops the pipeline, a warning does not."""

    severity: Literal["error", "warning"]
    subject: str
    text: str
    count: int = 1
    """Number of problems that it covers."""
