"""The images of an inference job: from decoded samples, where these are kept, or from files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.config import InputConfig
from pipeline.data.catalog import Sample
from pipeline.data.decoded import DiskCache
from pipeline.data.image_sources.source import PixelRows, Pixels
from pipeline.data.samples import SampleReader


class JobImages:
    """Reads images as networks see them, before `input.resize`.

    decoded: where training samples may lie decoded, None: nowhere; shown: of the job's models.
    Decoded samples have been resized, so they serve only where no model resizes.
    """

    def __init__(
        self, reader: SampleReader, decoded: Path | None, shown: Iterable[InputConfig]
    ) -> None:
        self._reader = reader
        self._cache: DiskCache | None = None
        if decoded is not None and all(each.resize is None for each in shown):
            self._cache = DiskCache(decoded, reader, InputConfig())

    def whole(self, sample: Sample) -> Pixels:
        """HWC; a decoded one is memory-mapped. DataError names a file that cannot be read."""
        kept = self._kept(sample)
        return self._reader.image(sample) if kept is None else kept

    def rows(self, sample: Sample) -> PixelRows:
        """The same, some rows at a time where that is possible."""
        kept = self._kept(sample)
        return self._reader.rows(sample) if kept is None else kept

    def _kept(self, sample: Sample) -> Pixels | None:
        found = None if self._cache is None else self._cache.get(sample)
        return None if found is None else found.image
