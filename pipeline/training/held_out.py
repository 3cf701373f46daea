"""Reads held-out samples for a score: from decoded samples, where these say enough, or files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.config import InputConfig
from pipeline.data.catalog import Sample
from pipeline.data.decoded import Cache, decode
from pipeline.data.frame import without_padding
from pipeline.data.ground_truth import Truth, decided
from pipeline.data.image_sources.source import Pixels
from pipeline.data.samples import SampleReader


class Example(NamedTuple):
    """What a network is shown, and what it is compared with."""

    image: Pixels
    """HWC as `SampleReader.image` gives it."""
    truth: Truth
    """Of the sample's own size."""


@dataclass(frozen=True)
class HeldOutReader:
    """Reads samples of a fold.

    cache: of decoded samples; None: nothing is kept. objects: whether the metric needs to know
    which object a pixel belongs to, as decoded samples do not.
    """

    reader: SampleReader
    shown: InputConfig
    cache: Cache | None
    objects: bool

    def read(self, sample: Sample) -> Example:
        """DataError naming a file that cannot be read."""
        if self.cache is None or self.objects or self.shown.resize is not None:
            image = self.reader.image(sample)
            return Example(image, self.reader.truth(sample, self.reader.own_size(image)))
        decoded = self.cache.get(sample)
        if decoded is None:
            decoded = decode(sample, self.reader, self.shown)
            self.cache.put(sample, decoded)
        pad = self.reader.data.frame.pad
        valid = decoded.valid
        if valid is not None:
            valid = without_padding(valid[None], pad)[0]
        planes = without_padding(decoded.planes, pad)
        if self.reader.data.soft:
            planes = decided(planes)
        return Example(decoded.image, Truth(planes, valid))
