"""Maskmill: from a folder of images and masks to a mask predictor with honest scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import Run, open_run

__all__ = ["Run", "__version__", "open_run"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import the Python API at its first use, since that takes seconds."""
    if name in ("Run", "open_run"):
        from pipeline import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
