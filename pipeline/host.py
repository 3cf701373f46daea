"""The name of this machine, wherever files of several machines lie in one folder."""

from __future__ import annotations

import functools
import os
import re
import socket


@functools.cache
def host_name() -> str:
    """As a part of a file name. MASKMILL_HOST replaces it where several machines have one name."""
    return slug(os.environ.get("MASKMILL_HOST", "") or socket.gethostname())


def slug(text: str) -> str:
    """`text` with everything that does not belong into a file name replaced."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "unnamed"
