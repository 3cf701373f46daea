"""The mask formats, one file each; the first that accepts an experiment's masks reads them."""

from __future__ import annotations

from pipeline.config import DataConfig
from pipeline.data.masks.annotated import Annotated
from pipeline.data.masks.class_files import ClassFiles
from pipeline.data.masks.colours import ColourMaps
from pipeline.data.masks.format import MaskFormat
from pipeline.data.masks.ignored import WithIgnored
from pipeline.data.masks.label_map import LabelMaps
from pipeline.data.masks.object_files import ObjectFiles
from pipeline.data.masks.object_maps import ObjectMaps
from pipeline.data.masks.run_lengths import RunLengths
from pipeline.data.masks.soft_maps import SoftMaps
from pipeline.data.masks.without_file import EmptyWithoutFile
from pipeline.errors import ConfigError

FORMATS: tuple[type[MaskFormat], ...] = (
    RunLengths,
    Annotated,
    ObjectMaps,
    SoftMaps,
    ClassFiles,
    ObjectFiles,
    ColourMaps,
    LabelMaps,
)


def mask_format(data: DataConfig) -> MaskFormat:
    """The masks of an experiment, in their format."""
    for each in FORMATS:
        found: MaskFormat | None = each.of(data)
        if found is not None:
            if data.without_mask == "empty":
                found = EmptyWithoutFile(found, data)
            return WithIgnored(found, data) if data.ignore else found
    raise ConfigError(f"data.masks: no mask format reads {data.masks!r}")
