"""One large image in tiles: predicted into a map store, and its map as run lengths.

The network looks at one pixel at a time, so that the time is not its own; a real one takes its
activations for a batch of tiles besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.peak import Peak

TILE = (1024, 1024)


def peak_of(what: str, folder: Path, side: int) -> Peak:
    """what: the views that predict an image of side×side, or `rle`: deciding from its map."""
    if what == "rle":
        fill(folder, side)
        with Peak() as peak:
            submit(folder)
        return peak
    draw(folder / "image.tif", side)
    with Peak() as peak:
        predict(folder, side, what, TILE)
    return peak


def draw(path: Path, side: int) -> None:
    """Soft blobs: a TIFF in deflated tiles, drawn tile by tile."""
    import tifffile

    def tiles() -> Iterator[NDArray[np.uint8]]:
        edges = range(0, side, 512)
        for top in edges:
            down = np.sin(np.arange(top, top + 512) / 300)
            for left in edges:
                waves = np.outer(down, np.cos(np.arange(left, left + 512) / 200))
                yield ((waves[..., None] + 1) * np.array([127, 90, 60])).astype(np.uint8)

    tifffile.imwrite(
        path, tiles(), shape=(side, side, 3), dtype=np.uint8, photometric="rgb", tile=(512, 512),
        compression="zlib", compressionargs={"level": 1},
    )  # fmt: skip


def predict(folder: Path, side: int, view: str, tile: tuple[int, int]) -> None:
    """The same path as the stage's job, with a network of one weight a channel."""
    import torch

    from pipeline.atomic_files import file_checksum
    from pipeline.config import DataConfig, InferConfig, ModelConfig
    from pipeline.data.catalog import Sample
    from pipeline.data.samples import SampleReader
    from pipeline.execution.executor import JobContext
    from pipeline.inference import job
    from pipeline.inference.sinks import StoreSink
    from pipeline.interruption import StopFlag
    from pipeline.maps import MapShape, MapStore
    from pipeline.reporting import JobProgress

    model = ModelConfig(
        decoder="linknet", encoder="test_resnet", weights=None,
        infer=InferConfig(tta=(view,), tile=tile),
    )  # fmt: skip
    network = torch.nn.Conv2d(3, 1, 1)
    torch.nn.init.constant_(network.weight, 2)
    weights = folder / "image.tif"
    output = job.Output(model, (job.MemberWeights("m", weights, file_checksum(weights)),))
    store = MapStore.create(folder / "maps", [MapShape("image", side, side)], ["a"], fingerprint="")
    data = DataConfig(root=folder, images="{id}.tif", masks="{id}.png", classes={"a": 1})
    work = job.InferJob(
        (output,), StoreSink((store,)), 1, False, SampleReader(data),
        (Sample("image", folder / "image.tif"),),
    )  # fmt: skip
    with patch.object(job, "load_network", lambda *_: network):  # there are no weights to load
        job.predict_range(work, JobContext("cpu", JobProgress(folder / "p", "j"), StopFlag()))


def fill(folder: Path, side: int) -> None:
    """Two models' maps of side×side: smooth, with a million runs or so."""
    from pipeline.maps import MapShape, MapStore

    rows, columns = np.ogrid[:side, :side]
    across = np.cos(columns / 90)
    for model in range(2):
        store = MapStore.create(
            folder / f"m{model}", [MapShape("image", side, side)], ["a"], fingerprint=""
        )
        store.write_bands(
            "image",
            (
                ((np.sin(rows[top : top + 256] / (70 + model)) * across + 1) / 2)[None].astype(
                    np.float32
                )
                for top in range(0, side, 256)
            ),
        )


def submit(folder: Path) -> None:
    """From the maps to the text of a row, in both orders, as `submit` goes."""
    from pipeline.config.choices import RleOrder
    from pipeline.data import rle
    from pipeline.ensemble.blending.means import ARITHMETIC
    from pipeline.ensemble.recipe import Recipe
    from pipeline.maps import MapStore

    recipe = Recipe({"m0": 0.4, "m1": 0.6}, (0.5,), multiclass=False, mean=ARITHMETIC)
    stores = [MapStore.open(folder / name) for name in recipe.names]
    orders: tuple[RleOrder, ...] = ("row", "column")
    for order in orders:
        runs = recipe.runs([np.asarray(store.read_raw("image")) for store in stores], order)
        assert runs is not None and rle.to_text(runs[0])
