"""Bands that are computed from others."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.expressions import parse_expression

Values = NDArray[np.float32]

_OPERATIONS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def evaluate(text: str, bands: Mapping[str, Values]) -> Values:
    """The value of every pixel; NaN (no data) where a band that is used has none, where a division
    is by zero, and where the result is not finite as float32.
    """
    shape = next(iter(bands.values())).shape
    with np.errstate(all="ignore"):
        value = np.broadcast_to(_value(parse_expression(text), bands), shape).astype(np.float32)
    value[~np.isfinite(value)] = np.nan
    return value


def _value(node: ast.expr, bands: Mapping[str, Values]) -> Any:
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, bands), _value(node.right, bands)
        return _OPERATIONS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return _OPERATIONS[type(node.op)](_value(node.operand, bands))
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return np.float64(node.value)
    assert isinstance(node, ast.Name)
    return bands[node.id].astype(np.float64)
