from __future__ import annotations

from typing import Literal

import pytest

from pipeline.errors import ConfigError
from pipeline.models.options import check_options, options_of


def _build(
    image: int,
    *,
    kernel: int = 7,
    rate: float = 0.5,
    valid: bool = False,
    kind: Literal["plain", "dense", 3] = "plain",
) -> None: ...


def _plain(image: int) -> None: ...


def test_options_are_the_keyword_only_parameters() -> None:
    assert options_of(_build) == {
        "kernel": (int, 7),
        "rate": (float, 0.5),
        "valid": (bool, False),
        "kind": (Literal["plain", "dense", 3], "plain"),
    }


@pytest.mark.parametrize(
    "options",
    [{}, {"kernel": 3, "rate": 1, "valid": True}, {"rate": 0.1, "kind": "dense"}, {"kind": 3}],
)
def test_options_of_the_right_type_are_taken(options: dict[str, object]) -> None:
    check_options("decoder d", _build, options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kernal": 3}, r"^options\.kernal: decoder d has no such option; did you mean kernel\?$"),
        ({"zzz": 3}, r"^options\.zzz: .*; valid: kernel, kind, rate, valid$"),
        (
            {"kernel": 3.5},
            r"^options\.kernel: .* takes a whole number above 0 \(default 7\), not 3\.5$",
        ),
        ({"kernel": True}, r"takes a whole number above 0 \(default 7\), not true$"),
        ({"kernel": 0}, r"takes a whole number above 0 \(default 7\), not 0$"),
        ({"rate": True}, r"takes a number \(default 0\.5\), not true$"),
        ({"valid": 1}, r"takes true or false \(default false\), not 1$"),
        ({"kind": "dens"}, r"takes plain or dense or 3 \(default plain\), not dens$"),
        ({"kind": True}, r"not true$"),
    ],
)
def test_others_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_options("decoder d", _build, options)


def test_a_function_without_options_says_so() -> None:
    with pytest.raises(
        ConfigError, match=r"^options\.k: network n has no such option; it has none"
    ):
        check_options("network n", _plain, {"k": 1})
