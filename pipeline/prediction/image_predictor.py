"""A finished run as a function: an image in, its mask out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.data.catalog import Sample
from pipeline.data.frame import into_frame
from pipeline.data.image_sources.source import PixelRows
from pipeline.data.samples import SampleReader
from pipeline.data.volumes import count_slices, slice_path
from pipeline.ensemble.blending.stream import SummedMaps
from pipeline.ensemble.outputs import plane_names
from pipeline.errors import DataError
from pipeline.inference.job import InferJob, Output, make_predictor
from pipeline.inference.other_axes import AxisMeans, axis_means, further_axes
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.finished_run import FinishedRun, refuse_references, verify_weights
from pipeline.prediction.mask_files import PredictedMaskFiles
from pipeline.prediction.mask_sink import MaskSink


class ImagePredictor:
    """The chosen blend with its TTA, thresholds and post-processing, its networks on one device."""

    def __init__(self, run: FinishedRun, device: str) -> None:
        refuse_references(run.experiment)
        self.classes = run.experiment.data.class_names
        self._blend = MemoryBlend.of(run)
        verify_weights(run, self._blend.models)
        self._reader = SampleReader(run.experiment.data)
        job = job_of(run, self._blend, PredictedMaskFiles.of(Path(), run.experiment.data), ())
        self._predictors = [
            (make_predictor(job, output, device), output.model.infer) for output in job.outputs
        ]

    @overload
    def __call__(
        self, image: NDArray[Any] | str | Path, *, probabilities: Literal[False] = False
    ) -> NDArray[np.bool_]: ...

    @overload
    def __call__(
        self, image: NDArray[Any] | str | Path, *, probabilities: Literal[True]
    ) -> NDArray[np.float32]: ...

    def __call__(
        self, image: NDArray[Any] | str | Path, *, probabilities: bool = False
    ) -> NDArray[Any]:
        """An image HWC of any size (uint8 RGB, or the bands of `data.bands`), or its file → bool
        CHW, a plane a class of `classes`. Of an array only `data.no_data` and NaN are no data: what
        its file's own tag says is not known.

        probabilities: the blended ones instead, float32 CHW 0..1, before thresholds and
        post-processing. A volume's file (`data.volume`) → the same of all slices, C×Z×H×W.
        Raises DataError for what is no such image.
        """
        data = self._reader.data
        if data.volume is not None and isinstance(image, str | Path):
            return self._volume(Path(image), probabilities)
        if any(further_axes(infer, data) for _, infer in self._predictors):
            raise DataError("infer.axes needs the other slices; give the path of the volume")
        return self._one(image, probabilities, AxisMeans())

    def _volume(self, volume: Path, probabilities: bool) -> NDArray[Any]:
        """C×Z×H×W of all slices."""
        folder, cores = Path(tempfile.gettempdir()), os.cpu_count() or 1
        means = axis_means(self._predictors, self._reader, volume, folder, cores, lambda _: None)
        numbers = range(count_slices(volume, self._reader.data))
        planes = [slice_path(volume, number) for number in numbers]
        return np.stack([self._one(each, probabilities, means) for each in planes], axis=1)

    def _one(
        self, image: NDArray[Any] | str | Path, probabilities: bool, means: AxisMeans
    ) -> NDArray[Any]:
        """CHW of one image. means: where it is a slice."""
        path = image if isinstance(image, Path) else Path()
        sums, recipe = self._sums(self._seen(image), path, means), self._blend.recipe
        if probabilities:
            return recipe.blend(sums)
        return recipe.decide(sums, lambda: self._picture(image))

    def _seen(self, image: NDArray[Any] | str | Path) -> PixelRows:
        """What networks are shown of it."""
        if isinstance(image, str | Path):
            return self._reader.rows(Sample(Path(image).stem, Path(image)))
        return into_frame(self._reader.source.given(np.asarray(image)), self._reader.data.frame)

    def _picture(self, image: NDArray[Any] | str | Path) -> NDArray[np.uint8]:
        """As people are shown it, for steps that look at it."""
        if isinstance(image, str | Path):
            return self._reader.picture(Sample(Path(image).stem, Path(image)))
        return self._reader.picture_of(self._reader.source.given(np.asarray(image)))

    def _sums(self, seen: PixelRows, path: Path, means: AxisMeans) -> SummedMaps:
        """The sums of all models; in a temporary file where a model predicts in tiles."""
        size = (seen.shape[0], seen.shape[1])
        if not any(each.tiles(size) for each, _ in self._predictors):
            pixels = seen[:]
            maps = (each.predict([pixels])[0] for each, _ in self._predictors)
            own = map(self._reader.own_maps, maps)
            return self._blend.sums([means.of(n, path, each) for n, each in enumerate(own)])

        def bands(number: int) -> Iterator[NDArray[np.float32]]:
            predicted = self._predictors[number][0].any_bands(seen)
            return means.bands(number, path, self._reader.own_bands(predicted, size[0]))

        planes = len(plane_names(self.classes, self._blend.recipe.outputs))
        shape = (planes, *self._reader.own_size(seen))
        return self._blend.sums_of_bands(Path(tempfile.gettempdir()), shape, bands)


def job_of(
    run: FinishedRun, blend: MemoryBlend, files: PredictedMaskFiles, samples: Sequence[Sample]
) -> InferJob:
    """The job that writes the masks of these samples."""
    data = run.experiment.data
    reader = SampleReader(data)
    return InferJob(
        outputs=tuple(Output(run.experiment.models[m], run.members[m]) for m in blend.models),
        sink=MaskSink(blend, files, reader, {each.id: each for each in samples}),
        classes=len(data.classes),
        multiclass=data.multiclass,
        reader=reader,
        samples=tuple(samples),
        auxiliary=run.recipe.outputs,
    )
