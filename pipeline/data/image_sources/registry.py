"""The image sources, one file each; the first that accepts an experiment's images reads them."""

from __future__ import annotations

from pipeline.channels import ShownBand
from pipeline.config import DataConfig, InputConfig
from pipeline.config.bands import COLOURS, Rule, own_name, parse_rule
from pipeline.data.image_sources.band_images import BandImages
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import ImageSource
from pipeline.errors import ConfigError

SOURCES: tuple[type[ImageSource], ...] = (BandImages, RgbImages)


def image_source(data: DataConfig) -> ImageSource:
    """The images of an experiment, by their kind."""
    for each in SOURCES:
        found = each.of(data)
        if found is not None:
            return found
    raise ConfigError(f"data.images: no image source reads {data.images!r}")


def shown_bands(source: ImageSource, shown: InputConfig) -> tuple[ShownBand, ...] | None:
    """The bands that a network is shown, with their rules; None: all, as the encoder expects them.

    `shown` names bands of the source only: the experiment has been checked.
    """
    names, rules = shown.bands or source.bands, shown.normalise or source.default_rule
    if names == source.bands and rules == source.default_rule == "encoder":
        return None

    def rule(band: str) -> Rule:
        return parse_rule(rules[own_name(band)] if isinstance(rules, dict) else rules)

    bands = [ShownBand(source.bands.index(each), rule(each)) for each in names]
    # one or two are repeated: encoders look for three colours
    return tuple(bands[place % len(bands)] for place in range(max(len(bands), len(COLOURS))))
