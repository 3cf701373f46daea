"""The base class of all blocks of an experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from pipeline.errors import MaskmillError

LONGEST_TEXT = 4000
"""Characters of one text: the longest path that is possible."""


class Block(BaseModel):
    """A frozen part of an experiment that rejects unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_blocks(cls, values: Any) -> Any:
        """Treat `train:` with nothing below it like a block that is not written at all."""
        if not isinstance(values, dict):
            return values
        fields = fields_by_key(cls)
        blocks = {key for key, field in fields.items() if is_block(field.annotation)}
        return {key: each for key, each in values.items() if each is not None or key not in blocks}

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_impossible(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse values that YAML can express but no key allows, before validation."""
        types = set(_types_in(cls.model_fields[str(info.field_name)].annotation))
        texts = [value] if any(map(is_block, types)) else _parts_of(value)  # blocks check their own
        for each in texts:
            if isinstance(each, str):
                refuse_strange(each)
            elif isinstance(each, bool) and types & {int, float} and not types & {bool, Any}:
                raise ValueError(f"{str(each).lower()} is not a number")
        return value


def fields_by_key(block: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a block by what YAML calls them; some words are taken in Python."""
    return {field.alias or name: field for name, field in block.model_fields.items()}


def is_block(annotation: Any) -> bool:
    """True if a field of that type is a block of its own."""
    return isinstance(annotation, type) and issubclass(annotation, Block)


def _types_in(annotation: Any) -> Iterator[Any]:
    """The plain types that a type is made of."""
    inner = (
        get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    )
    if not inner:
        yield annotation
    for each in inner:
        yield from _types_in(each)


def _parts_of(value: Any) -> Iterator[Any]:
    """A value of YAML and all that is in it, keys too."""
    yield value
    if isinstance(value, dict):
        yield from (part for pair in value.items() for each in pair for part in _parts_of(each))
    elif isinstance(value, list | tuple):
        yield from (part for each in value for part in _parts_of(each))


def refuse_strange(text: str) -> None:
    """Raise ValueError for text that no file and no terminal can hold."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"has {len(text)} characters; at most {LONGEST_TEXT} are allowed")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("contains a NUL or half of a character, which no file name can contain")


def check_names(kind: str, values: Iterable[Any], info: ValidationInfo) -> None:
    """Check names with the function for this kind of name, if the context has one.

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


def flat_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of nested blocks as `train.lr`, with their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
