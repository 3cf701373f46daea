"""Prediction of volumes along several axes: the slices along a further one are images of another
source, whose maps are turned back into the slices that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, InferConfig
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.data.volumes import count_slices, slice_path, split_slice
from pipeline.inference.predictor import Predictor
from pipeline.inference.read_ahead import read_ahead
from pipeline.scratch_array import scratch_array

SIDES = "ZYX"


@dataclass(frozen=True)
class AxisMaps:
    """A model's maps of a volume along further axes."""

    sums: NDArray[np.float32]
    """C×Z×Y×X, of the probabilities along each."""
    count: int
    """Axes that are summed."""
    along: str
    """The axis whose slices are stored."""

    def averaged(self, maps: NDArray[Any], number: int, top: int) -> NDArray[np.float32]:
        """The mean over all axes. maps: probabilities CxhxW of a stored slice, from row `top` on;
        number: of the slice.
        """
        others = plane_of(self.sums, self.along, number)[:, top : top + maps.shape[1]]
        return np.asarray((maps + others) / (self.count + 1), np.float32)


@dataclass(frozen=True)
class AxisMeans:
    """What the maps of a volume's slices are averaged with, by output; None: with nothing."""

    by_output: tuple[AxisMaps | None, ...] = ()

    def of(self, output: int, image: Path, maps: NDArray[Any], top: int = 0) -> NDArray[Any]:
        """The final map of a slice, or its rows from `top` on. image: the path of the slice."""
        found = self.by_output[output] if self.by_output else None
        return maps if found is None else found.averaged(maps, split_slice(image)[1], top)

    def bands(
        self, output: int, image: Path, bands: Iterator[NDArray[Any]]
    ) -> Iterator[NDArray[Any]]:
        """`of` for a map that comes in bands CxhxW, top to bottom."""
        top = 0
        for band in bands:
            yield self.of(output, image, band, top)
            top += band.shape[1]


def further_axes(infer: InferConfig, data: DataConfig) -> tuple[str, ...]:
    """The axes, as `data.volume.axis` calls them, besides the one of the stored slices."""
    if infer.axes is None or data.volume is None:
        return ()
    return tuple(each.upper() for each in infer.axes if each.upper() != data.volume.axis)


def plane_of(volume: NDArray[Any], axis: str, number: int) -> NDArray[Any]:
    """A slice of C×Z×Y×X as CHW, in the rows and columns of `data.volume.axis`; a view."""
    before: tuple[slice | int, ...] = (slice(None),) * (1 + SIDES.index(axis))
    plane: NDArray[Any] = volume[(*before, number)]
    return plane


def axis_means(
    outputs: Sequence[tuple[Predictor, InferConfig]],
    reader: SampleReader,
    volume: Path,
    folder: Path,
    cores: int,
    said: Callable[[str], None],
) -> AxisMeans:
    """Predict a volume along the further axes of each model.

    folder: where the sums are kept, in files without names, 4 bytes a class and voxel; said: is
    told what is done before each slice, and may raise to stop.
    """
    return AxisMeans(
        tuple(
            _summed(predictor, reader, axes, volume, folder, cores, said)
            if (axes := further_axes(infer, reader.data))
            else None
            for predictor, infer in outputs
        )
    )


def _summed(
    predictor: Predictor,
    reader: SampleReader,
    axes: Sequence[str],
    volume: Path,
    folder: Path,
    cores: int,
    said: Callable[[str], None],
) -> AxisMaps:
    assert reader.data.volume is not None
    sums: NDArray[np.float32] | None = None
    sides = tuple(count_slices(volume, along_axis(reader, axis).data) for axis in SIDES)
    for axis in axes:
        other = along_axis(reader, axis)
        paths = [slice_path(volume, number) for number in range(sides[SIDES.index(axis)])]
        for number, maps in enumerate(_maps(predictor, other, paths, cores)):
            said(f"{volume.name}: axis {axis.lower()}, slice {number + 1} of {len(paths)}")
            if sums is None:
                folder.mkdir(parents=True, exist_ok=True)
                sums = scratch_array(folder, (len(maps), *sides), np.float32)
            plane_of(sums, axis, number)[...] += maps
    assert sums is not None
    return AxisMaps(sums, len(axes), reader.data.volume.axis)


def along_axis(reader: SampleReader, axis: str) -> SampleReader:
    """The same volumes, sliced along another axis."""
    volume = reader.data.volume
    assert volume is not None
    changes: dict[str, Any] = {"volume": volume.model_copy(update={"axis": axis})}
    if axis != volume.axis:
        changes["drop"] = ()  # ids are those of slices along the other one
    return replace(reader, data=reader.data.model_copy(update=changes))


def _maps(
    predictor: Predictor, reader: SampleReader, paths: Sequence[Path], cores: int
) -> Iterator[NDArray[Any]]:
    """The maps CHW of slices of one size, in their order."""
    samples = [Sample(path.name, path, part="test") for path in paths]
    height, width = reader.seen_size(samples[0])
    if predictor.tiles((height, width)):
        for sample in samples:
            bands = predictor.any_bands(reader.rows(sample))
            yield np.concatenate(list(reader.own_bands(bands, height)), axis=1)
        return
    for _, images in read_ahead(samples, reader.image, predictor.images, cores):
        yield from map(reader.own_maps, predictor.predict(images))
