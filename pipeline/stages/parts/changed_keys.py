"""Which keys of a model's settings differ from those that a member was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config.base import flat_keys
from pipeline.suggestions import shortened

_SHOWN = 4


def changed_keys(before: object, now: Mapping[str, Any]) -> str:
    """` (train.epochs was 1, is 20)`; empty where nothing is known of before, or no key differs."""
    if not isinstance(before, dict):
        return ""
    old, new = dict(flat_keys(before)), dict(flat_keys(now))
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    told = [f"{key} was {_value(old, key)}, is {_value(new, key)}" for key in keys[:_SHOWN]]
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f" ({'; '.join(told)}{more})" if told else ""


def _value(values: Mapping[str, Any], key: str) -> str:
    return shortened(values[key]) if key in values else "the default"
