"""Checks that an experiment's encoder exists, before anything is built."""

from __future__ import annotations

import re

import timm

from pipeline.errors import ConfigError
from pipeline.models.grafting.stitch import backbones_of
from pipeline.suggestions import check_name

_FACTORY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def check_encoder(encoder: str) -> None:
    """Raise ConfigError, with the nearest names, for a network that timm does not have.

    A factory of one's own (`package.module:factory`) is looked up only when it is used; here it
    must only look like one.
    """
    for name in backbones_of(encoder):
        if ":" not in name:
            check_name("encoder", name, timm.list_models())
        elif not _FACTORY.fullmatch(name):
            raise ConfigError(f"encoder {name!r}: a network of your own is package.module:factory")
