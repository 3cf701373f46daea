"""The ways to say where masks are; which one is meant shows in the key that only it has."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from pipeline.config.annotations import AnnotationFiles
from pipeline.config.base import Block
from pipeline.config.label_maps import LabelMapFiles
from pipeline.config.tables import MaskTable
from pipeline.suggestions import ALIKE

_BLOCKS: dict[str, type[Block]] = {
    "csv": MaskTable,
    "annotations": AnnotationFiles,
    "label_map": LabelMapFiles,
}
"""Key that only one block has → that block."""


def _kind(value: Any) -> str | None:
    """The tag of a source of masks; no key of any block is called like a tag."""
    if isinstance(value, dict):
        near = [get_close_matches(str(key), _BLOCKS, 1, ALIKE) for key in value]
        found = [key for key in _BLOCKS if key in value] + [each[0] for each in near if each]
        return f"of {found[0]}" if found else None
    kinds = [f"of {key}" for key, block in _BLOCKS.items() if type(value) is block]
    return kinds[0] if kinds else "of files"


MaskSource = Annotated[
    Annotated[str, Tag("of files")]
    | Annotated[MaskTable, Tag("of csv")]
    | Annotated[AnnotationFiles, Tag("of annotations")]
    | Annotated[LabelMapFiles, Tag("of label_map")],
    Discriminator(
        _kind,
        custom_error_type="mask_source",
        custom_error_message=f"needs one of the keys {', '.join(_BLOCKS)}, or a pattern of files",
    ),
]
"""A pattern of mask files, or a block of its own. A block has `by_class`, `instances` and
`problems`; its format in `pipeline.data.masks` finds files and rows."""
