"""Arithmetic over bands, such as `(nir - red) / (nir + red)`, and nothing else.

Numbers, names of bands, + - * / ** and parentheses, parsed by Python and checked here. Nothing
that is parsed is ever run as code.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from pipeline.suggestions import did_you_mean

OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd)
_LONGEST, _DEEPEST = 500, 40
_LARGEST = 1e30


def check_expression(text: str, known: Sequence[str]) -> None:
    """Raise ValueError for what is no arithmetic, for names that are none of `known`, and for
    numbers that are names as well.
    """
    written = text.strip()
    for node in ast.walk(parse_expression(text)):
        if isinstance(node, ast.Constant) and (
            (number := ast.get_source_segment(written, node)) in known
        ):
            raise ValueError(f"{text!r}: {number} is a number, and the name of a band; rename it")
        if isinstance(node, ast.Name) and node.id not in known:
            nearest = did_you_mean(node.id, known)
            raise ValueError(f"{text!r}: there is no band {node.id!r}{nearest}")


def parse_expression(text: str) -> ast.expr:
    """The tree of an expression; ValueError says what in it is not known."""
    if len(text) > _LONGEST:
        raise ValueError(f"an expression has at most {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is not arithmetic") from None
    _check(tree, text, 0)
    return tree


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"{text!r}: too many nested parts")
    if isinstance(node, ast.BinOp) and isinstance(node.op, OPERATORS):
        _check(node.left, text, depth + 1)
        _check(node.right, text, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, OPERATORS):
        _check(node.operand, text, depth + 1)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise ValueError(f"{text!r}: {ast.unparse(node)} is not a number")
        if not abs(node.value) < _LARGEST:
            raise ValueError(f"{text!r}: a number is too large")
    elif not isinstance(node, ast.Name):
        raise ValueError(
            f"{text!r}: only numbers, bands, + - * / ** and parentheses are known, and not "
            f"{ast.unparse(node)!r}"
        )
