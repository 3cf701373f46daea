"""maps show: one stored map as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import ArtefactError
from pipeline.host import slug
from pipeline.maps import MapStore
from pipeline.maps.heatmap import heat_map


def show(folder: Path, sample_id: str, target: Path | None = None) -> Path:
    """Write the heat map of one id, its classes side by side, as PNG; the path written."""
    store = MapStore.open(folder)
    if sample_id not in set(store.ids):
        raise ArtefactError(f"{folder} has no map {sample_id!r}; it has e.g. {store.ids[0]!r}")
    if sample_id in set(store.pending()):
        raise ArtefactError(
            f"{folder}: the map of {sample_id!r} does not exist yet; run make infer"
        )
    picture = np.concatenate([heat_map(plane) for plane in store.read(sample_id)], axis=1)
    path = target or Path(f"{slug(sample_id)}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
