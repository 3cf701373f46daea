"""Options of decoders and networks: keyword-only parameters of the functions that build them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pipeline.errors import ConfigError
from pipeline.suggestions import did_you_mean

_WORDS = {bool: "true or false", int: "a whole number above 0", float: "a number"}


def options_of(build: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """By name, the type and the default of each option of the function."""
    types = get_type_hints(build)
    return {
        name: (types[name], parameter.default)
        for name, parameter in inspect.signature(build).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def check_options(name: str, build: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise ConfigError for options that the function does not have, or of another type.

    name: what people call the function, such as `decoder gcn`.
    """
    known = options_of(build)
    for option, value in options.items():
        if option not in known:
            hint = did_you_mean(option, known) if known else "; it has none"
            raise ConfigError(f"options.{option}: {name} has no such option{hint}")
        wanted, default = known[option]
        if not _is_of(value, wanted):
            raise ConfigError(
                f"options.{option}: {name} takes {_described(wanted)} (default {_yaml(default)}), "
                f"not {_yaml(value)}"
            )


def _is_of(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return any(value == each and type(value) is type(each) for each in get_args(wanted))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is wanted and (wanted is not int or value > 0)


def _described(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return " or ".join(map(_yaml, get_args(wanted)))
    return _WORDS[wanted]


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
