"""Keeps a job that was given up from writing over its successor.

A machine that hangs is taken for dead, and its job begins elsewhere; when it comes back it still
runs the old attempt. A job on a cluster therefore has a token, and whoever starts it again replaces
the token on the shared disk. Right before a file is published, the token is looked at. That leaves
a moment between the look and the write, as long as the machine does not hang just there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

LOST = 3
"""Exit status of a process that finds another token in the place of its own."""


def _open() -> None:
    """No token was given out: every write is ours."""


_check: Callable[[], None] = _open


def check() -> None:
    """End this process at once if its job was given to another one; call it before publishing."""
    _check()


def guard(path: Path, token: str) -> None:
    """From now on `check` ends this process unless the file at `path` holds `token`."""
    global _check

    def look() -> None:
        try:
            found = path.read_text()
        except OSError:
            found = ""
        if found != token:
            os._exit(LOST)

    _check = look
