"""Reads the YAML of an experiment as untrusted text: within limits, and with clear errors."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.yaml_loader import MOST_DEPTH, StrictLoader
from pipeline.errors import ConfigError
from pipeline.suggestions import did_you_mean, shortened

_MOST_BYTES = 2**19
_MOST_VALUES = 10**5
_LETTERS_A_VALUE = 16
"""A long text counts as one value for each of so many letters."""
_LONGEST_REASON = 1000
_HINTS = {
    "\\t": "; indent with spaces, not tabs",
    "mapping values are not allowed": "; is a colon missing on the line before, or "
    "is a text with a colon not in quotes?",
    "expected ',' or": "; is a bracket or a comma missing?",
    "could not find expected ':'": "; is the colon after a key missing?",
    "found character '%'": "; a text that begins so needs quotes",
    "found character '@'": "; a text that begins so needs quotes",
    "found undefined alias": "; a text that begins with * needs quotes",
}
"""Parts of PyYAML's messages, and what is mostly meant by them."""


def parse_yaml(text: str, where: str) -> Any:
    """The value of `text`; no two parts of it share an object, so that a change stays local.

    Raises ConfigError, which begins with `where`, when the text is not valid.
    """
    try:
        value = yaml.load(text, StrictLoader)
    # PyYAML's own constructors let these out for `!!int x`, `!!bool x`, "\UFFFFFFFF", 1:1:…, [[[[…
    except (
        yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError, TypeError,
        RecursionError,
    ) as error:  # fmt: skip
        reason = _reason(error)[:_LONGEST_REASON]
        raise ConfigError(f"{where} cannot be read as YAML: {reason}") from None
    return _Unshared(where).copy(value, 0)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file; ConfigError naming the file, or the nearest one when it is missing."""
    try:
        text = _bounded_text(path)
    except FileNotFoundError:
        known = [str(each) for each in sorted(path.parent.glob("*.yaml"))]
        raise ConfigError(
            f"there is no experiment {path}{did_you_mean(str(path), known)}"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: it is not UTF-8 text ({error.reason} at byte "
            f"{error.start})"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{shortened(path)} cannot be read as YAML: {reason}") from None
    raw = parse_yaml(text, str(path))
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path} is not an experiment (a YAML mapping with name, data, models, …)"
        )
    return raw


def _bounded_text(path: Path) -> str:
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise ConfigError(f"{path} cannot be read as YAML: it is a folder")
    if not stat.S_ISREG(kind):  # a device never ends, and a pipe may never begin
        raise ConfigError(f"{path} cannot be read as YAML: it is not a regular file")
    with path.open("rb") as stream:
        raw = stream.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{path} is too large for an experiment file")
    return raw.decode("utf-8")


def _reason(error: Exception) -> str:
    """Where PyYAML stumbled, why, and what that mostly means."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    problem, start = str(getattr(error, "problem", None)), getattr(error, "context_mark", None)
    began = "" if start is None else f" ({error.context}, line {start.line + 1})"  # type: ignore[attr-defined]
    hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{began}{hint}"


class _Unshared:
    """Copies what YAML gave with every alias (*name) spelled out, as far as that is sensible.

    A few aliases of aliases can expand to billions of values, or refer to themselves.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = _MOST_VALUES

    def copy(self, value: Any, depth: int) -> Any:
        self._left -= 1 + (len(value) // _LETTERS_A_VALUE if isinstance(value, str) else 0)
        if self._left < 0 or depth > MOST_DEPTH:
            raise ConfigError(f"{self._where}: its aliases (*name) expand to too many values")
        if isinstance(value, dict):
            return {
                self.copy(key, depth + 1): self.copy(each, depth + 1) for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.copy(each, depth + 1) for each in value]
        return value
