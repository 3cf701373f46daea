"""The destination of maps when masks are predicted: each map is decided, written and dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.ensemble.blending.stream import SummedMaps
from pipeline.ensemble.outputs import plane_names
from pipeline.ensemble.postprocessing.instances import count_components
from pipeline.errors import MaskmillError
from pipeline.execution.executor import JobContext
from pipeline.inference.job import InferJob, predict_range
from pipeline.inference.sinks import ModelBands, ModelMaps
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.mask_files import PredictedMaskFiles
from pipeline.scratch_array import scratch_array


@dataclass(frozen=True)
class ClassArea:
    """The area of one class in an image."""

    image: str
    """The id of its sample."""
    class_: str
    share: float
    """Of all pixels, 0..1."""
    objects: int
    """8-connected parts."""


@dataclass
class MaskSink:
    """Decides as the blend does, and writes; `areas` gathers in the process that predicts."""

    blend: MemoryBlend
    files: PredictedMaskFiles
    reader: SampleReader
    samples: dict[str, Sample]
    areas: list[ClassArea] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.files.folder

    @property
    def folders(self) -> frozenset[Path]:
        return frozenset()  # every mask is a file of its own

    def claim(self, ids: Sequence[str]) -> AbstractContextManager[object]:
        return nullcontext()  # two that write the same masks write the same bytes

    def pending(self) -> set[str]:
        return set(self.samples)

    def write(self, batch: Mapping[str, ModelMaps]) -> None:
        for each, maps in batch.items():
            self._write(each, maps)

    def write_bands(self, each: str, bands: ModelBands) -> None:
        folder, size = self.files.folder, self.reader.picture_size(self.samples[each])
        folder.mkdir(parents=True, exist_ok=True)
        shape = (len(self.files.classes), *size)
        planes = len(plane_names(list(self.files.classes), self.blend.recipe.outputs))
        with self._named(each):
            sums = self.blend.sums_of_bands(folder, (planes, *size), bands)
        self._write_decided(each, sums, lambda: scratch_array(folder, shape, np.float32))

    def _write(self, each: str, maps: ModelMaps) -> None:
        with self._named(each):
            sums = self.blend.sums(maps)
        shape = (len(self.files.classes), *sums.shape[1:])
        self._write_decided(each, sums, lambda: np.empty(shape, np.float32))

    @contextmanager
    def _named(self, each: str) -> Iterator[None]:
        try:
            yield
        except MaskmillError as error:
            raise type(error)(f"{self.samples[each].image}: {error}") from None

    def _write_decided(
        self, each: str, sums: SummedMaps, room: Callable[[], NDArray[np.float32]]
    ) -> None:
        """room: makes the array CHW for probabilities."""
        recipe = self.blend.recipe
        picture = partial(self.reader.picture, self.samples[each])
        decision = recipe.decide(sums, picture)
        self.files.write(each, decision)
        if self.files.probabilities:
            self.files.write_probabilities(each, recipe.blend(sums, room()))
        if self.files.overlay:
            self.files.write_overlay(each, picture(), decision)
        for name, plane in zip(self.files.classes, decision, strict=True):
            area = ClassArea(each, name, float(plane.mean()), count_components(plane))
            self.areas.append(area)


def predict_masks(job: InferJob, context: JobContext) -> list[ClassArea]:
    """Write the masks of `job.samples`, whose sink is a `MaskSink`; returns their areas."""
    assert isinstance(job.sink, MaskSink)
    job.sink.areas.clear()
    predict_range(job, context)
    return job.sink.areas
