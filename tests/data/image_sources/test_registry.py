"""A new kind of images is a file and a line: here a made-up one of 5 bands and 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from pipeline.config import DataConfig, InferConfig, InputConfig, TrainConfig
from pipeline.data.catalog import list_samples
from pipeline.data.image_sources import registry
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import Examined, PixelRows, Pixels
from pipeline.data.inspection import inspect
from pipeline.data.samples import SampleReader
from pipeline.inference.predictor import Predictor
from pipeline.size import Size
from pipeline.training.dataset import TrainingSet
from pipeline.training.sampling import Key
from tests.helpers.data_folders import config, encoded, save, smooth

BANDS = np.random.default_rng(0).integers(0, 10_001, (48, 40, 5)).astype(np.uint16)


@dataclass(frozen=True)
class FiveBands:
    channels: ClassVar[int] = 5
    bands: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d", "e")
    default_rule: ClassVar[str] = "range(0, 10000)"
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.uint16)
    scale: ClassVar[float] = 10_000
    blank: ClassVar[float] = 0
    suffix: ClassVar[str] = ".npy"

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls() if data.images.endswith(".npy") else None

    def files(self, path: Path) -> tuple[Path, ...]:
        return (path,)

    def neighbours(self, path: Path) -> tuple[Path, ...]:
        return ()

    def given(self, image: NDArray[Any]) -> Pixels:
        return image

    def read(self, path: Path) -> Pixels:
        return np.asarray(np.load(path))

    def rows(self, path: Path) -> PixelRows:
        return self.read(path)

    def decode(self, data: bytes, path: Path) -> Pixels:
        return np.asarray(np.load(BytesIO(data)))

    def examine(self, data: bytes, path: Path) -> Examined:
        return Examined(self.decode(data, path), 1, ("of bands",))

    def examine_rows(self, path: Path) -> Examined | None:
        return None

    def size_of(self, path: Path) -> Size:
        height, width = np.load(path, mmap_mode="r").shape[:2]
        return height, width

    def shown(self, pixels: Pixels) -> NDArray[np.uint8]:
        return np.asarray(pixels[..., 2::-1] // 40, np.uint8)

    def write(self, pixels: Pixels, stream: BinaryIO) -> None:
        np.save(stream, pixels)

    def read_written(self, path: Path) -> Pixels:
        return self.read(path)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataConfig:
    monkeypatch.setattr(registry, "SOURCES", (FiveBands, *registry.SOURCES))
    (tmp_path / "images").mkdir()
    np.save(tmp_path / "images/a.npy", BANDS)
    save(tmp_path / "masks/a.png", np.eye(48, 40, dtype=np.uint8))
    return config(tmp_path, images="images/{id}.npy")


def test_they_are_checked_and_read(data: DataConfig) -> None:
    catalog = list_samples(data)
    (record,) = inspect(catalog, data, {}, lambda _: None)
    assert (record.height, record.width, record.note, record.problem) == (48, 40, "of bands", "")
    reader = SampleReader(data)
    assert np.array_equal(reader.image(catalog.train[0]), BANDS) and reader.channels.total == 5
    assert np.array_equal(reader.picture(catalog.train[0]), BANDS[..., 2::-1] // 40)


def test_a_frame_moves_all_their_bands(data: DataConfig) -> None:
    framed = data.model_copy(update={"frame": data.frame.model_copy(update={"shift": (3, 0)})})
    seen = SampleReader(framed).image(list_samples(data).train[0])
    assert seen.dtype == np.uint16 and np.array_equal(seen[:, 3:], BANDS[:, :-3])


def test_networks_are_trained_on_all_their_bands(data: DataConfig) -> None:
    settings = TrainConfig.model_validate(
        {"size": [48, 40], "augment": {"colour": 0, "affine": 0, "flips": []}}
    )
    drawn = TrainingSet(list_samples(data).train, SampleReader(data), settings, InputConfig())
    image, planes, *_ = drawn[Key(0, 0, 0)]
    assert np.array_equal(image.numpy(), BANDS.transpose(2, 0, 1)) and planes.shape[1:] == (48, 40)


def test_networks_see_their_scale(data: DataConfig) -> None:
    class Mean(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=1, keepdim=True)

    settings = InferConfig.model_validate({"tta": ["identity"], "precision": "fp32"})
    reader = SampleReader(data)
    predictor = Predictor(
        [Mean()], settings, resize=None, multiclass=False, scale=reader.source.scale, device="cpu"
    )
    (seen,) = predictor.predict([reader.image(list_samples(data).train[0])])
    expected = 1 / (1 + np.exp(-BANDS.astype(np.float64).mean(axis=2) / 10_000))
    assert np.allclose(seen[0], expected, atol=1e-5)


@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_in_a_header_is_that_of_what_is_read(
    orientation: int, turn: bool, tmp_path: Path
) -> None:
    image = Image.fromarray(smooth(24, 36))
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(image, "JPEG", exif=exif))
    source = RgbImages(turn=turn)
    assert source.size_of(path) == source.read(path).shape[:2]
