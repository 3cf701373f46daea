"""The image sources, one file each; the first that accepts an experiment's images reads them."""

from __future__ import annotations

from pipeline.config import DataConfig
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import ImageSource
from pipeline.errors import ConfigError

SOURCES: tuple[type[ImageSource], ...] = (RgbImages,)


def image_source(data: DataConfig) -> ImageSource:
    """The images of an experiment, by their kind."""
    for each in SOURCES:
        found = each.of(data)
        if found is not None:
            return found
    raise ConfigError(f"data.images: no image source reads {data.images!r}")
