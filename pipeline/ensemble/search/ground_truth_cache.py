"""Truths that are read once and kept: a search over whole images asks for them again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.scratch import Spool

Shape = tuple[int, ...]


def keep_truths(source: OofSource, folder: Path) -> OofSource:
    """The same source with its truths decoded once, into nameless temporary files of `folder`."""
    if isinstance(source.truth, _Kept):
        return source
    planes, valid, instances = (_Shelf(folder, kind) for kind in (np.uint8, np.bool_, np.int32))
    for truth in ordered(source.truth, source.ids):
        planes.put(truth.planes)
        valid.put(truth.valid)
        instances.put(truth.instances)
    kept = zip(source.ids, planes.arrays(), valid.arrays(), instances.arrays(), strict=True)
    return replace(source, truth=_Kept({id: Truth(*parts) for id, *parts in kept}))


@dataclass(frozen=True)
class _Kept:
    """Truths by id, as views of files."""

    truths: dict[str, Truth]

    def __call__(self, id: str) -> Truth:
        return self.truths[id]


class _Shelf:
    """Arrays of one type, or None, put one after another and taken back as views of a file."""

    def __init__(self, folder: Path, kind: type[Any]) -> None:
        self._spool, self._kind = Spool(folder), kind
        self._shapes: list[Shape | None] = []

    def put(self, values: NDArray[Any] | None) -> None:
        self._shapes.append(None if values is None else values.shape)
        if values is not None:
            self._spool.append(values.astype(self._kind, copy=False))

    def arrays(self) -> list[Any]:
        """The stored arrays, in order."""
        flat, place, arrays = self._spool.finish(self._kind), 0, []
        for shape in self._shapes:
            size = 0 if shape is None else int(np.prod(shape))
            arrays.append(None if shape is None else flat[place : place + size].reshape(shape))
            place += size
        return arrays
