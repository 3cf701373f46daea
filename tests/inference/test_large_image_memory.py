"""What a large image takes is bounded by tile, batch and width, measured on the process itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import large_image
from benchmarks.peak import Peak
from pipeline.maps import MapStore

SIDE = 4000
MOST = 450
"""MiB. Predicted whole, this image took 760; most of what it takes now is eight tiles."""


def test_a_large_image_takes_less_memory_than_its_pixels(tmp_path: Path) -> None:
    """From the file to the store."""
    small = tmp_path / "small"
    small.mkdir()
    large_image.draw(small / "image.tif", 700)
    large_image.predict(small, 700, "identity", (512, 512))  # imports and compiles
    large_image.draw(tmp_path / "image.tif", SIDE)
    with Peak() as before:
        pass
    with Peak() as peak:
        large_image.predict(tmp_path, SIDE, "identity", (512, 512))
    assert peak.mebibytes - before.mebibytes < MOST
    store = MapStore.open(tmp_path / "maps")
    assert store.is_complete and np.ptp(store.read_raw("image")) > 50


def test_its_run_lengths_take_less_memory_than_a_mask(tmp_path: Path) -> None:
    side = 8000
    large_image.fill(tmp_path, side)
    large_image.submit(tmp_path)  # compiles
    with Peak() as before:
        pass
    with Peak() as peak:
        large_image.submit(tmp_path)
    assert peak.mebibytes - before.mebibytes < side * side / 2**20
