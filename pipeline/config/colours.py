"""Colours that stand for classes in masks."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

RGB = tuple[int, int, int]


def _as_hex(value: Any) -> Any:
    """`#rrggbb` of a colour as it may be written."""
    if isinstance(value, list | tuple):
        levels = [each for each in value if type(each) is int and 0 <= each <= 255]
        if len(value) != 3 or len(levels) != 3:
            raise ValueError("a colour is [red, green, blue], each 0 to 255")
        return f"#{bytes(levels).hex()}"
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(
            "should be a pixel value, or a colour: '#4080c0' (in quotes), or [r, g, b]"
        )
    return value.lower()


Colour = Annotated[
    str,
    BeforeValidator(_as_hex),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": 255},
                    "minItems": 3,
                    "maxItems": 3,
                },
            ]
        }
    ),
]
"""`#rrggbb`, in small letters."""


def rgb_of(colour: str) -> RGB:
    """Red, green and blue, 0..255, of a `Colour`."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
