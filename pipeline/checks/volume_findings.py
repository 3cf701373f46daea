"""What is known of volumes as such: their slices, and the steps between pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig, ModelConfig
from pipeline.data.catalog import Catalog, Part, Sample
from pipeline.data.volumes import open_volume, split_slice
from pipeline.errors import DataError

APART = 1.25
"""From this ratio of the usual steps of train and test on, networks see another scale."""


@dataclass(frozen=True)
class VolumeFacts:
    """Of the volumes of one part that can be read."""

    part: Part
    slices: tuple[int, ...]
    spacings: tuple[tuple[float, ...], ...]
    """Z, Y, X of those that know it."""

    @property
    def row(self) -> list[str]:
        """part, volumes, slices, spacing."""
        steps = [_range([f"{each:.4g}" for each in column]) for column in self._columns]
        unknown = len(self.slices) - len(self.spacings)
        shown = " × ".join(steps) + (f" ({unknown} unknown)" if steps and unknown else "")
        return [self.part, str(len(self.slices)), _range(self.slices), shown or "unknown"]

    @property
    def _columns(self) -> list[list[float]]:
        return [sorted(column) for column in zip(*self.spacings, strict=True)]

    @property
    def usual(self) -> NDArray[np.float64]:
        return np.asarray(np.median(np.array(self.spacings), axis=0))


def volume_facts(catalog: Catalog, data: DataConfig) -> list[VolumeFacts]:
    """Of train and of test; nothing where images are no volumes."""
    if data.volume is None:
        return []
    parts: list[tuple[Part, Sequence[Sample]]] = [("train", catalog.train), ("test", catalog.test)]
    return [_facts(part, samples, data) for part, samples in parts if samples]


def spacing_problems(facts: Sequence[VolumeFacts]) -> Iterator[Finding]:
    """A warning where the volumes of test have other steps than those of train."""
    known = [each for each in facts if each.spacings]
    if len(known) < 2:
        return
    one, other = known[0].usual, known[1].usual
    ratio = np.maximum(one, other) / np.minimum(one, other)
    if (ratio > APART).any():
        shown = [" × ".join(f"{step:.4g}" for step in usual) for usual in (one, other)]
        yield Finding(
            "warning",
            "data.test",
            f"the usual spacing (Z × Y × X) of its volumes is {shown[1]}, that of data.images "
            f"{shown[0]}: networks are shown another scale; resample one of them",
        )


def shape_problems(
    facts: Sequence[VolumeFacts], models: Mapping[str, ModelConfig]
) -> Iterator[Finding]:
    """A warning for models that predict along several axes where voxels are no cubes."""
    along = [name for name, model in models.items() if len(model.infer.axes or ()) > 1]
    for each in facts if along else ():
        if each.spacings and max(each.usual) > APART * min(each.usual):
            shown = " × ".join(f"{step:.4g}" for step in each.usual)
            yield Finding(
                "warning",
                f"models.{along[0]}.infer.axes",
                f"the usual voxel of {each.part} is {shown} (Z × Y × X), no cube, so slices along "
                "other axes look unlike those that networks are trained on; resample the volumes, "
                "or leave it out",
            )


def _facts(part: Part, samples: Sequence[Sample], data: DataConfig) -> VolumeFacts:
    slices, spacings = [], []
    for path in dict.fromkeys(split_slice(sample.image)[0] for sample in samples):
        try:
            volume = open_volume(path, data, key=data.array)
        except DataError:
            continue  # as the records of its slices say
        slices.append(volume.planes)
        if volume.spacing is not None and len(volume.spacing) == 3:
            spacings.append(volume.spacing)
    return VolumeFacts(part, tuple(slices), tuple(spacings))


def _range(values: Sequence[object]) -> str:
    ordered = sorted(values, key=lambda value: float(str(value)))
    return " … ".join(dict.fromkeys(map(str, ordered[:1] + ordered[-1:])))
