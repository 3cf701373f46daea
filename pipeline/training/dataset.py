"""Training samples by (epoch, position, index): random choices depend on nothing else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.config import InputConfig, TrainConfig
from pipeline.data.catalog import Sample
from pipeline.data.frame import continue_planes
from pipeline.data.image_sources.source import Pixels
from pipeline.data.resize import resize_image, resize_planes, working_size
from pipeline.data.samples import SampleReader
from pipeline.training.augmentation import Augmenter

Key = tuple[int, int, int]
Decoded = tuple[Pixels, NDArray[np.uint8], NDArray[np.bool_] | None]


class TrainingSet(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Augmented crops: image CHW as its source reads it, planes CHW and validity 1HW uint8."""

    def __init__(
        self,
        samples: Sequence[Sample],
        reader: SampleReader,
        settings: TrainConfig,
        shown: InputConfig,
        shares: int = 1,
    ) -> None:
        """shares: the processes that have a copy of this, and with it a share of the cache each."""
        self._samples = samples
        self._reader = reader
        self._settings = settings
        self._shown = shown
        self._pad = reader.data.frame.pad
        self._augmenter = Augmenter(settings.size, settings.augment, reader.source)
        self._cache = _Cache(settings.cache * 2**20 // shares)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor, Tensor]:
        epoch, position, index = key
        decoded = self._cache.get(index)
        if decoded is None:
            decoded = self.decode(self._samples[index])
            self._cache.put(index, decoded)
        image, planes, valid = self._augmenter(*decoded, [self._settings.seed, epoch, position])
        channels_first = np.ascontiguousarray(image.transpose(2, 0, 1))
        return (
            torch.from_numpy(channels_first),
            torch.from_numpy(np.ascontiguousarray(planes)),
            torch.from_numpy(np.ascontiguousarray(valid)[None]),
        )

    def decode(self, sample: Sample) -> Decoded:
        """A whole sample at its working size: image HWC, planes CHW, validity HW."""
        image = self._reader.image(sample)
        truth, pad = self._reader.truth(sample, self._reader.own_size(image)), self._pad
        size = working_size((image.shape[0], image.shape[1]), self._shown.resize)
        valid = truth.valid
        if valid is not None:
            continued = continue_planes(valid[None].view(np.uint8), pad)
            valid = resize_planes(continued, size)[0].view(np.bool_)
        continued = continue_planes(truth.planes, pad)
        planes = resize_planes(continued, size, multiclass=self._reader.data.multiclass)
        return resize_image(image, size), planes, valid


class _Cache:
    """Decoded samples up to a number of bytes; the ones that came first stay."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._kept: OrderedDict[int, Decoded] = OrderedDict()

    def get(self, index: int) -> Decoded | None:
        return self._kept.get(index)

    def put(self, index: int, decoded: Decoded) -> None:
        size = sum(array.nbytes for array in decoded if array is not None)
        if size <= self._left:
            self._left -= size
            self._kept[index] = decoded


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
