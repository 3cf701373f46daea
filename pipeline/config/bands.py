"""Bands: the channels of an image beyond red, green and blue, by name."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

COLOURS = ("red", "green", "blue")
"""The bands of 8-bit images."""

RuleName = Literal["encoder", "zscore", "minmax", "percentile", "range", "window"]
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "encoder": (),
    "zscore": (),
    "minmax": (),
    "percentile": ("low", "high"),
    "range": ("low", "high"),
    "window": ("centre", "width"),
}
_FORMS = "encoder, zscore, minmax, percentile(1, 99), range(low, high), window(centre, width)"


class Rule(NamedTuple):
    """How the values of a band become those that a network is shown."""

    name: RuleName
    numbers: tuple[float, ...] = ()

    @property
    def is_measured(self) -> bool:
        """True if it needs statistics of the training images."""
        return self.name in ("zscore", "minmax", "percentile")


def parse_rule(text: str) -> Rule:
    """`zscore`, `percentile(1, 99)` … as a rule; ValueError says what is wrong with it."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if match is None or match[1] not in _ARGUMENTS:
        raise ValueError(f"{text!r} is none of {_FORMS}")
    names, given = _ARGUMENTS[match[1]], match[2].split(",") if match[2] else []
    try:
        numbers = tuple(float(each) for each in given)
    except ValueError:
        raise ValueError(f"{text!r}: the parentheses hold numbers, as in {_FORMS}") from None
    if len(numbers) != len(names):
        raise ValueError(f"{match[1]} takes {len(names)} numbers ({', '.join(names)}): {_FORMS}")
    rule = Rule(match[1], numbers)  # type: ignore[arg-type]
    if problem := _problem(rule):
        raise ValueError(f"{text!r}: {problem}")
    return rule


def _problem(rule: Rule) -> str | None:
    if not all(abs(number) < 1e30 for number in rule.numbers):
        return "the numbers must be finite"
    if rule.name == "percentile" and not 0 <= rule.numbers[0] < rule.numbers[1] <= 100:
        return "two percentages, the lower one first"
    if rule.name == "range" and rule.numbers[0] >= rule.numbers[1]:
        return "the lower end comes first"
    if rule.name == "window" and rule.numbers[1] <= 0:
        return "the width must be above 0"
    return None


def _valid_rule(text: str) -> str:
    parse_rule(text)
    return text


def _valid_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError(f"{name!r}: a band's name is made of letters, digits and underscores")
    return name


def of_neighbour(name: str, offset: int) -> str:
    """The name of a band in the image so many positions further on in its stack."""
    return f"{name}@{offset:+d}" if offset else name


def own_name(name: str) -> str:
    """The band's name without the neighbour's position."""
    return name.partition("@")[0]


def _valid_choice(name: str) -> str:
    _valid_name(own_name(name))
    if not re.fullmatch(r"\w+(@[+-][1-9]\d*)?", name):
        raise ValueError(f"{name!r}: a neighbour's band is written {own_name(name)}@+1 or …@-1")
    return name


BandName = Annotated[str, Field(max_length=60), AfterValidator(_valid_name)]
ChosenBand = Annotated[str, Field(max_length=70), AfterValidator(_valid_choice)]
"""A band, or that of a neighbour in a stack."""
RuleText = Annotated[str, Field(max_length=100), AfterValidator(_valid_rule)]
