"""Names as Kaggle has them in its addresses."""

from __future__ import annotations

import re

from pipeline.errors import ConfigError

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,48}[a-z0-9]")


def check_slug(what: str, text: str) -> str:
    """ConfigError unless `text` is a name as Kaggle has it in its addresses."""
    if not _SLUG.fullmatch(text):
        raise ConfigError(
            f"{what}={text!r}: must be the name in the address: lower-case letters, digits and "
            "dashes, 3 to 50 of them"
        )
    return text
