"""What every block of an experiment has in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from pipeline.errors import MaskmillError


class Block(BaseModel):
    """A frozen part of an experiment that knows all its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_blocks_say_nothing(cls, values: Any) -> Any:
        """Take `train:` with nothing below it for a block that was not written at all."""
        if not isinstance(values, dict):
            return values
        blocks = {key for key, field in cls.model_fields.items() if is_block(field.annotation)}
        return {key: each for key, each in values.items() if each is not None or key not in blocks}


def is_block(annotation: Any) -> bool:
    """Whether a field of that type is a block of its own."""
    return isinstance(annotation, type) and issubclass(annotation, Block)


def check_names(kind: str, values: Iterable[Any], info: ValidationInfo) -> None:
    """Ask whoever knows this kind of name, if anybody was handed in as context.

    Raises ValueError with everything that is wrong with any of `values`.
    """
    check = (info.context or {}).get(kind, lambda _: None)
    problems = []
    for value in values:
        try:
            check(value)
        except MaskmillError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))


def nearest(name: str, valid: Iterable[str], count: int = 3) -> str:
    """`; did you mean …?` with the valid names closest to `name`, or all of a short list."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; valid: {', '.join(names)}" if 0 < len(names) <= 20 else ""
