"""Training samples by (epoch, position, index): random choices depend on nothing else."""

from __future__ import annotations

import itertools
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
from pipeline.training.augmentation import Augmenter, Crop
from pipeline.training.auxiliary.targets import Aims
from pipeline.training.foreground import Foreground
from pipeline.training.look_matching import LookMatching
from pipeline.training.mixing import Mixer
from pipeline.training.sampling import ANY_CLASS, ANYWHERE, Key, SampleFacts

MIXING = 1
"""Ends the seed of what is drawn about mixing; higher numbers those of the partners' crops."""
FOCUS = 2**16
"""Ends the seed of the foreground pixel that a crop contains."""


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
    targets: dict[str, Tensor] = {}  # noqa: RUF012
    """Of auxiliary outputs, by label, N first; see `auxiliary.targets`."""


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
        aims: Aims | None = None,
        test: Sequence[Sample] = (),
    ) -> None:
        """cache: where decoded samples are kept; None: nowhere. facts: of `samples`, for sampling;
        None: all are alike. aims: what auxiliary outputs learn from them; None: nothing. test:
        images that samples are made to look like."""
        self._samples = samples
        self._reader = reader
        self._settings = settings
        self._shown = shown
        look = LookMatching(test, reader) if test else None
        self._augmenter = Augmenter(settings.size, settings.augment, reader.source, look)
        self._aims = aims
        self._mixer = None
        if settings.augment.mixes:
            self._mixer = Mixer(settings.augment, reader.data, self._aimed)
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
        crop = self._crop(key)
        crop = self._aimed(crop) if self._mixer is None else self._mixed(crop, key)
        targets = {} if self._aims is None else self._aims.of_image(crop.targets, key.image)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(crop.image.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(crop.planes)),
            torch.from_numpy(np.ascontiguousarray(crop.valid)[None]),
            torch.from_numpy(crop.colour),
            {label: torch.as_tensor(each) for label, each in targets.items()},
        )

    def _aimed(self, crop: Crop) -> Crop:
        """The crop with the targets that its truth gives."""
        if self._aims is None:
            return crop
        return crop._replace(targets=self._aims.of_truth(crop.planes, crop.valid, crop.objects))

    def _crop(self, key: Key, turn: int = 0) -> Crop:
        """The crop of a key; turn: 0, or the number of a partner that its crop is mixed with."""
        epoch, position, index, focus = key
        decoded, seed = self.decoded(self._samples[index]), [self._settings.seed, epoch, position]
        seed += [turn] if turn else []
        through = None
        if focus != ANYWHERE:
            random = np.random.default_rng([*seed, FOCUS])
            through = self._foreground.pixel(index, decoded, focus, random)
        image, planes, valid, objects = decoded
        return self._augmenter(image, planes, valid, seed, through, objects)

    def _mixed(self, crop: Crop, key: Key) -> Crop:
        """The crop, mixed with crops of other samples of this set, by draws of the key alone."""
        assert self._mixer is not None
        random = np.random.default_rng([self._settings.seed, key.epoch, key.position, MIXING])
        turns = itertools.count(MIXING + 1)

        def partner(filled: bool) -> Crop:
            other = int(random.integers(max(1, len(self) - 1)))
            other = (key.image + 1 + other) % len(self)  # any but this one, where there are others
            focus = ANY_CLASS if filled else key.focus
            return self._crop(key._replace(image=other, focus=focus), next(turns))

        return self._mixer(crop, partner, random)
