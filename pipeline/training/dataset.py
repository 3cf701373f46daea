"""Training samples by (epoch, position, index): random choices depend on nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from pipeline.training.length import samples_a_step, training_length

Key = tuple[int, int, int]


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
    ) -> None:
        """cache: where decoded samples are kept; None: nowhere."""
        self._samples = samples
        self._reader = reader
        self._settings = settings
        self._shown = shown
        self._augmenter = Augmenter(settings.size, settings.augment, reader.source)
        self._cache = MemoryCache(0) if cache is None else cache

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
        epoch, position, index = key
        decoded = self.decoded(self._samples[index])
        crop = self._augmenter(*decoded, [self._settings.seed, epoch, position])
        return Batch(
            torch.from_numpy(np.ascontiguousarray(crop.image.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(crop.planes)),
            torch.from_numpy(np.ascontiguousarray(crop.valid)[None]),
            torch.from_numpy(crop.colour),
        )


def epoch_batches(count: int, settings: TrainConfig, epoch: int, start: int) -> Iterator[list[Key]]:
    """The keys of every batch of an epoch from step `start` on; a step has `accumulate` of them.

    An epoch is a random order of all samples, repeated (reordered) as far as its steps go.
    """
    total = training_length(count, settings).steps_of(epoch) * samples_a_step(settings)
    rounds = -(-total // count)
    random = np.random.default_rng([settings.seed, epoch, 1])
    order = np.concatenate([random.permutation(count) for _ in range(rounds)])[:total].tolist()
    keys = [(epoch, position, index) for position, index in enumerate(order)]
    for first in range(start * samples_a_step(settings), total, settings.batch):
        yield keys[first : first + settings.batch]
