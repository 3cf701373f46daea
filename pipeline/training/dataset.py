"""Training samples by (epoch, position, index): random choices depend on nothing else."""

from __future__ import annotations

import itertools
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
from pipeline.training.augmentation import Augmenter, Crop
from pipeline.training.mixing import Mixer

Key = tuple[int, int, int]
MIXING = 1
"""Ends the seed of what is drawn about mixing; higher numbers those of the partners' crops."""


class Batch(NamedTuple):
    """Augmented crops; of a single one, the same without the first dimension."""

    images: Tensor
    """N×C×H×W as the source reads them."""
    planes: Tensor
    """N×classes×H×W uint8: 0/1, or 0..CERTAIN where `planes_are_soft`."""
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
        self._mixer = Mixer(settings.augment, reader.data) if settings.augment.mixes else None
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
        crop = self._crop(key)
        if self._mixer is not None:
            crop = self._mixed(crop, key)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(crop.image.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(crop.planes)),
            torch.from_numpy(np.ascontiguousarray(crop.valid)[None]),
            torch.from_numpy(crop.colour),
        )

    def _crop(self, key: Key, turn: int = 0) -> Crop:
        """The crop of a key; turn: 0, or the number of a partner that its crop is mixed with."""
        epoch, position, index = key
        seed = [self._settings.seed, epoch, position]
        seed += [turn] if turn else []
        return self._augmenter(*self.decoded(self._samples[index]), seed)

    def _mixed(self, crop: Crop, key: Key) -> Crop:
        """The crop, mixed with crops of other samples of this set, by draws of the key alone."""
        assert self._mixer is not None
        epoch, position, index = key
        random = np.random.default_rng([self._settings.seed, epoch, position, MIXING])
        turns = itertools.count(MIXING + 1)

        def partner() -> Crop:
            other = int(random.integers(max(1, len(self) - 1)))
            other = (index + 1 + other) % len(self)  # any but this one, where there are others
            return self._crop((epoch, position, other), next(turns))

        return self._mixer(crop, partner, random)


def epoch_batches(count: int, settings: TrainConfig, epoch: int, start: int) -> Iterator[list[Key]]:
    """The keys of every batch of an epoch from step `start` on.

    An epoch is a random order of all samples, repeated (reordered) as far as its steps go.
    """
    total = steps_an_epoch(count, settings) * settings.batch
    rounds = -(-total // count)
    random = np.random.default_rng([settings.seed, epoch, 1])
    order = np.concatenate([random.permutation(count) for _ in range(rounds)])[:total].tolist()
    keys = [(epoch, position, index) for position, index in enumerate(order)]
    for first in range(start * settings.batch, total, settings.batch):
        yield keys[first : first + settings.batch]


def steps_an_epoch(count: int, settings: TrainConfig) -> int:
    """Steps an epoch: as configured, or as many whole batches as there are."""
    return settings.steps or max(1, count // settings.batch)
