"""The targets of auxiliary outputs that a crop has, made where crops are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.auxiliary import AuxiliaryOutput, Presence, column_outputs, map_outputs
from pipeline.data.ground_truth import CERTAIN
from pipeline.data.object_codes import labelled
from pipeline.models.auxiliary.target import UNKNOWN, Column
from pipeline.training.auxiliary.maps import Objects, target_map

Targets = Mapping[str, NDArray[Any]]
"""By label: maps uint8 CHW, presence float32 C, values of columns float32 of no dimension."""


@dataclass(frozen=True)
class ColumnValues:
    """The column of an output for the training images of a member.

    values: one an image, in their order: standardised, or the number of the class; NaN where the
    table has none. facts: what its head needs to know.
    """

    values: tuple[float, ...]
    facts: Column


@dataclass(frozen=True)
class Aims:
    """What the auxiliary outputs of a member learn, of crops and of whole images.

    soft: whether planes are 0..CERTAIN, not 0/1; columns: of the outputs that are one, in order.
    """

    outputs: Sequence[AuxiliaryOutput]
    soft: bool
    columns: Sequence[ColumnValues] = ()

    def of_truth(
        self,
        planes: NDArray[np.uint8],
        valid: NDArray[np.uint8],
        codes: NDArray[np.uint8] | None,
    ) -> Targets:
        """planes CHW; valid HW; codes CHW: `object_codes`, None where objects are not known."""
        known = valid > 0
        inside = (planes > (CERTAIN // 2 if self.soft else 0)) & known
        targets: dict[str, NDArray[Any]] = {}
        if maps := map_outputs(self.outputs):
            objects = [
                _objects(plane, known, None if codes is None else codes[number])
                for number, plane in enumerate(inside)
            ]
            for each in maps:
                targets[each.label] = np.stack([target_map(each, of) for of in objects])
        for output in self.outputs:
            if isinstance(output, Presence):
                there = np.asarray(inside.any(axis=(1, 2)), np.float32)
                there[:] = there if known.any() else np.nan
                targets[output.label] = there
        return targets

    def of_image(self, targets: Targets, index: int) -> Targets:
        """Those of a crop, and the values of the image that it is from."""
        columns = zip(column_outputs(self.outputs), self.columns, strict=True)
        values = {
            output.label: np.asarray(column.values[index], np.float32) for output, column in columns
        }
        return {**targets, **values}


def mixed(one: Targets, other: Targets, share: np.float32) -> Targets:
    """The weighted mean of the targets of two crops; where one does not know, nobody does."""
    targets: dict[str, NDArray[Any]] = {}
    for label, mine in one.items():
        theirs = other[label]
        mean = mine.astype(np.float32) * share + theirs.astype(np.float32) * (1 - share)
        if mine.dtype.kind == "u":
            mean = np.rint(mean)
            mean[(mine == UNKNOWN) | (theirs == UNKNOWN)] = UNKNOWN
        targets[label] = mean.astype(mine.dtype)
    return targets


def _objects(
    inside: NDArray[np.bool_], known: NDArray[np.bool_], codes: NDArray[np.uint8] | None
) -> Objects:
    if codes is None:
        count, parts = cv2.connectedComponents(inside.view(np.uint8), connectivity=8)
        return Objects(np.asarray(parts, np.int32), count - 1, known, touching=False)
    # what has no code is an object of its own, such as the part that another crop has brought in
    count, labels = labelled((codes.astype(np.int16) + 1) * inside)
    return Objects(labels, count, known)
