"""Derived bands: NumPy's arithmetic, no-data where it has no answer, and no code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.expressions import check_expression
from pipeline.data.derived_bands import evaluate

A = np.array([[1.0, 2.0], [0.0, np.nan]], np.float32)
B = np.array([[4.0, 0.5], [0.0, 1.0]], np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a - b) / (a + b)", [[-0.6, 0.6], [np.nan, np.nan]]),
        ("-a ** 2", [[-1, -4], [0, np.nan]]),
        ("2 * b - 1", [[7, 0], [-1, 1]]),
        ("b / 0", [[np.nan, np.nan], [np.nan, np.nan]]),
        ("3", [[3, 3], [3, 3]]),
        ("b ** -1", [[0.25, 2], [np.nan, 1]]),
        ("(a - 1) ** 0.5", [[0, 1], [np.nan, np.nan]]),
    ],
)
def test_values(text: str, expected: list[list[float]]) -> None:
    value = evaluate(text, {"a": A, "b": B})
    assert value.dtype == np.float32
    assert np.allclose(value, np.array(expected), equal_nan=True)


@pytest.mark.parametrize(
    "text",
    ["", "a +", "f(a)", "a.b", "a[0]", "a if b else a", "[a]", "'a'", "True", "lambda: a", "a < b",
     "a and b", "a // b", "a % b", "1e999", "a; b", "a @ b", "~a", "(a := 1)", "(" * 60 + "a" +
     "+b)" * 60, "a" * 600, "-" * 60 + "a", "a\0b", "1j"],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        check_expression(text, ("a", "b"))


def test_an_unknown_band_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"there is no band 'nirr'; did you mean nir\?"):
        check_expression("nirr / red", ("nir", "red"))


@given(st.text(alphabet="ab+-*/() .0123456789_", max_size=40))
def test_whatever_is_written_is_a_band_or_an_error(text: str) -> None:
    try:
        check_expression(text, ("a", "b"))
    except ValueError:
        return
    value = evaluate(text, {"a": A, "b": B})
    assert value.shape == A.shape and not np.isinf(value).any()


def test_a_number_that_is_also_a_band_is_refused() -> None:
    with pytest.raises(ValueError, match="24 is a number, and the name of a band"):
        check_expression("24 - nir", ("24", "nir"))
    check_expression("25 - nir", ("24", "nir"))
