"""Jobs whose images are larger than a tile: the maps of the predictor, whatever stops them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pipeline.atomic_files import file_checksum
from pipeline.config import DataConfig, InferConfig, ModelConfig
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.errors import InterruptedRunError
from pipeline.execution.executor import JobContext
from pipeline.inference import job, tiled
from pipeline.inference.sinks import StoreSink, SumSink
from pipeline.interruption import StopFlag
from pipeline.maps import Accumulator, MapShape, MapStore
from pipeline.maps.quantise import quantise
from pipeline.models.checkpoint import save_weights
from pipeline.models.factory import build_model
from pipeline.reporting import JobProgress

SIZES = {"a": (40, 52), "b": (150, 130), "c": (33, 200), "d": (48, 64)}
LARGE = {"b", "c"}
WEIGHTS = {"m0": 30000, "m1": 35536}
TILES = {"size": (48, 64), "overlap": 0.25}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images, two of them TIFFs, and the weights of a network."""
    folder = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(0)
    for (name, size), kind in zip(SIZES.items(), ("png", "tif", "png", "tif"), strict=True):
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        options = {"compression": "tiff_lzw"} if kind == "tif" else {}
        Image.fromarray(pixels).save(folder / f"{name}.{kind}", **options)
    save_weights(folder / "w.safetensors", build_model(_model().architecture, classes=2))
    return folder


def _model(**infer: Any) -> ModelConfig:
    settings = InferConfig(**{"tta": ("identity", "hflip"), **infer})
    return ModelConfig(decoder="linknet", encoder="test_resnet", weights=None, infer=settings)


def _job(folder: Path, sink: Any, *models: ModelConfig, pad: int = 0) -> job.InferJob:
    path = folder / "w.safetensors"
    weights = job.MemberWeights("m", path, file_checksum(path))
    keys: dict[str, Any] = {"frame": {"pad": pad}} if pad else {}
    data = DataConfig(root=folder, images="{id}.*", masks="{id}.png", classes=["x", "y"], **keys)
    samples = tuple(
        Sample(path.stem, path) for path in sorted(folder.iterdir()) if path.stem in SIZES
    )
    outputs = tuple(job.Output(model, (weights,)) for model in models)
    return job.InferJob(outputs, sink, 2, False, SampleReader(data), samples)


def _run(work: job.InferJob, tmp_path: Path, stop: StopFlag | None = None) -> None:
    flag = StopFlag() if stop is None else stop  # which is false before a signal
    context = JobContext("cpu", JobProgress(tmp_path / "progress", "j"), flag)
    job.predict_range(work, context)


def _stores(tmp_path: Path, count: int) -> tuple[MapStore, ...]:
    shapes = [MapShape(name, *size) for name, size in SIZES.items()]
    return tuple(
        MapStore.create(tmp_path / f"maps{number}", shapes, ["x", "y"], fingerprint="f")
        for number in range(count)
    )


def _expected(work: job.InferJob, number: int) -> dict[str, np.ndarray]:
    """What the predictor gives for each whole image."""
    predictor = job.make_predictor(work, work.outputs[number], "cpu")
    maps = {s.id: predictor.predict([work.reader.image(s)])[0] for s in work.samples}
    return {name: quantise(work.reader.own_maps(each), "uint8") for name, each in maps.items()}


@pytest.mark.parametrize("pad", [0, 5])
def test_large_and_small_images_get_the_maps_of_the_predictor(
    folder: Path, tmp_path: Path, pad: int
) -> None:
    """By a model in tiles and one that sees images whole, in one job."""
    stores = _stores(tmp_path, 2)
    work = _job(folder, StoreSink(stores), _model(tile=TILES), _model(), pad=pad)
    _run(work, tmp_path)
    for number, store in enumerate(stores):
        for name, expected in _expected(work, number).items():
            assert np.array_equal(store.read_raw(name), expected), name
        assert list(store.verify()) == []


def test_sums_are_those_of_the_stores(folder: Path, tmp_path: Path) -> None:
    shapes = [MapShape(name, *size) for name, size in SIZES.items()]
    sums = Accumulator.create(tmp_path / "s", shapes, ["x", "y"], WEIGHTS, fingerprint="f")
    sink = SumSink(sums, ("m0", "m1"), ("uint8", "uint8"), (None, None))
    work = _job(folder, sink, _model(tile=TILES), _model(tile=TILES, tta=("d4",)))
    _run(work, tmp_path)
    first, second = _expected(work, 0), _expected(work, 1)
    for name in SIZES:
        total = first[name].astype(np.uint32) * 30000 + second[name].astype(np.uint32) * 35536
        assert np.array_equal(sums.read_sums(name), total)


class _Stopping(StopFlag):
    """Rises at the n-th look."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def check(self) -> None:
        self._looks -= 1
        if self._looks <= 0:
            self.signal_number = 15
        super().check()


@pytest.mark.parametrize("kind", ["stores", "sums"])
def test_what_is_stopped_goes_on_with_what_is_missing(
    folder: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any number of bands, between two models of one image too."""
    monkeypatch.setattr("pipeline.inference.bands.BAND_VALUES", 3000)
    torch.manual_seed(0)
    network = nn.Conv2d(3, 2, 3, padding=1)
    monkeypatch.setattr(job, "load_network", lambda *_: network)

    def work_in(place: Path) -> job.InferJob:
        place.mkdir(exist_ok=True)
        sink: Any = StoreSink(_stores(place, 2))
        if kind == "sums":
            shapes = [MapShape(name, *size) for name, size in SIZES.items()]
            sums = Accumulator.create(place, shapes, ["x", "y"], WEIGHTS, fingerprint="f")
            sink = SumSink(sums, ("m0", "m1"), ("uint8", "uint8"), (None, None))
        return _job(folder, sink, _model(tile=TILES), _model(tile=TILES))

    def bytes_in(place: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(place.rglob("maps.npy"))}

    _run(work_in(tmp_path / "whole"), tmp_path)
    stops = 0
    for looks in (1, 4, 15, 40):
        place = tmp_path / f"{looks}"
        try:
            _run(work_in(place), tmp_path, _Stopping(looks))
        except InterruptedRunError:
            stops += 1
        _run(work_in(place), tmp_path)
        assert bytes_in(place) == bytes_in(tmp_path / "whole")
    assert stops == 4


def test_a_large_image_is_not_decoded_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    whole = SampleReader.image

    def image(self: SampleReader, sample: Sample) -> Any:
        decoded.append(sample.id)
        return whole(self, sample)

    monkeypatch.setattr(SampleReader, "image", image)
    rows: list[int] = []
    bands = tiled.TiledImages.bands

    def seen(self: tiled.TiledImages, pixels: Any) -> Iterator[Any]:
        rows.append(pixels.shape[0])
        assert not isinstance(pixels, np.ndarray) or pixels.shape[0] == 33, "a TIFF comes by rows"
        return bands(self, pixels)

    monkeypatch.setattr(tiled.TiledImages, "bands", seen)
    _run(_job(folder, StoreSink(_stores(tmp_path, 1)), _model(tile=TILES)), tmp_path)
    assert sorted(decoded) == ["a", "d"] and sorted(rows) == [33, 150]
