"""Libraries that only some formats need, imported when a file of that format is met."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pipeline.data.pages import RefusedError


def library(name: str, extra: str, kind: str) -> Any:
    """The module of a library. RefusedError saying how to install it where it is missing.

    kind: of the file that needs it. extra: the optional dependency that has it.
    """
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise RefusedError(
            f"is {kind}, which needs the package {package}: pip install 'maskmill[{extra}]', or "
            f"pip install {package}"
        ) from None
