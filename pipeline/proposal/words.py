"""The words by which people name folders and files of a data set, and what they mean."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Role = Literal["train", "test", "valid", "image", "mask", "reference", "hidden"]

_WORDS: dict[Role, str] = {
    "train": "train training",
    "test": "test testing tests",
    "valid": "val valid validation dev",
    "image": "image images img imgs photo photos picture pictures sat frames input inputs rgb jpeg",
    "mask": (
        "mask masks msk label labels lbl gt annotation annotations annot anno seg segs "
        "segmentation segmentations groundtruth truth target targets manual"
    ),
    "reference": "ref refs reference references template templates golden clean",
    "hidden": "private solution hidden",
}
_ROLES: dict[str, Role] = {word: role for role, words in _WORDS.items() for word in words.split()}
_ENDINGS = ("mask", "masks", "label", "labels")
_DETAILS = {
    "color",
    "colour",
    "instance",
    "instances",
    "id",
    "ids",
    "fine",
    "coarse",
    "bit",
    "left",
    "right",
}
"""Words that say more of an image or a mask, but not which of both it is."""
GROUP = re.compile(
    r"group|patient|subject|case|study|series|scene|car|video|sequence|tile|slide|specimen|site|"
    r"location|screen|board|batch|source|volume|scan",
    re.IGNORECASE,
)
"""Columns that tell which images belong together."""


@lru_cache(maxsize=4096)
def roles_of(text: str) -> frozenset[Role]:
    """The roles that a name speaks of: `stage1_train` of train, `trainannot` of train and mask."""
    found = {role for token in _tokens(text) for role in _of_token(token)}
    return frozenset(found)


@lru_cache(maxsize=65536)
def is_role(token: str) -> bool:
    """True if the words of a name say what a file is: `labelIds`, `leftImg8bit`, `mask`."""
    return is_detail(token) and any(map(_of_token, _tokens(token)))


@lru_cache(maxsize=65536)
def is_detail(token: str) -> bool:
    """True if every word of a name is of a role, or says more of one: `color`, `instanceIds`."""
    words = () if any(map(str.isdecimal, token[:1])) else _tokens(token)
    return bool(words) and all(_of_token(each) or each in _DETAILS for each in words)


def _tokens(text: str) -> list[str]:
    """The words of a name: cut at whatever is no letter, and before capitals."""
    return [each.lower() for each in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)]


def _of_token(token: str) -> tuple[Role, ...]:
    if token in _ROLES:
        return (_ROLES[token],)
    for start in ("train", "test", "val"):
        rest = token.removeprefix(start)
        if rest != token and rest in _ROLES:
            return _ROLES[start], _ROLES[rest]
    return ("mask",) if token.endswith(_ENDINGS) else ()
