"""Training samples by (epoch, position, index): random choices depend on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.config import InputConfig, TrainConfig
from pipeline.data.catalog import Sample
from pipeline.data.decoded import Cache, MemoryCache, decode
from pipeline.data.decoded_file import Decoded
from pipeline.data.samples import SampleReader
from pipeline.training.augmentation import Augmenter
from pipeline.training.foreground import Foreground
from pipeline.training.sampling import ANYWHERE, Key, SampleFacts


class Batch(NamedTuple):
    """Augmented crops; of a single one, the same without the first dimension."""

    images: Tensor
    """N×C×H×W as the source reads them."""
    planes: Tensor
    """N×classes×H×W uint8: 0/1, or 0..CERTAIN where `data.soft`."""
    valid: Tensor
    """N×1×H×W uint8."""
    colour: Tensor
    """N×sources×8 float32: what `change_colours` is to do on the device."""


class TrainingSet(Dataset[Batch]):
    """Augmented crops by key."""

    def __init__(
        self,
        samples: Sequence[Sample],
        reader: SampleReader,
        settings: TrainConfig,
        shown: InputConfig,
        cache: Cache | None = None,
        facts: SampleFacts | None = None,
    ) -> None:
        """cache: where decoded samples are kept; None: nowhere. facts: of `samples`, for sampling;
        None: all are alike."""
        self._samples = samples
        self._reader = reader
        self._settings = settings
        self._shown = shown
        self._augmenter = Augmenter(settings.size, settings.augment, reader.source)
        self._cache = MemoryCache(0) if cache is None else cache
        self._foreground = Foreground(settings.seed, reader.data.soft)
        self.facts = SampleFacts(len(samples)) if facts is None else facts

    def __len__(self) -> int:
        return len(self._samples)

    def decoded(self, sample: Sample) -> Decoded:
        """The whole sample; DataError naming a file that cannot be read."""
        decoded = self._cache.get(sample)
        if decoded is None:
            decoded = decode(sample, self._reader, self._shown)
            self._cache.put(sample, decoded)
        return decoded

    def __getitem__(self, key: Key) -> Batch:
        epoch, position, index, focus = key
        decoded, seed = self.decoded(self._samples[index]), [self._settings.seed, epoch, position]
        through = None
        if focus != ANYWHERE:
            random = np.random.default_rng([*seed, 7])
            through = self._foreground.pixel(index, decoded, focus, random)
        crop = self._augmenter(*decoded, seed, through)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(crop.image.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(crop.planes)),
            torch.from_numpy(np.ascontiguousarray(crop.valid)[None]),
            torch.from_numpy(crop.colour),
        )
