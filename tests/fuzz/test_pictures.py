"""Images and masks: damaged bytes give an array or one DataError that names the file."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.catalog import Sample
from pipeline.data.images import read_rgb
from pipeline.data.samples import SampleReader
from pipeline.errors import DataError
from tests.helpers.experiments import experiment
from tests.helpers.fuzz_rounds import Record, for_minutes, mutated, report, some

SIZE = (20, 30)
FORMATS = {"png": ("L", "P", "RGB", "RGBA", "1", "I;16"), "jpeg": ("L", "RGB"), "gif": ("P", "L"),
           "tiff": ("L", "RGB", "1", "I;16"), "webp": ("RGB",), "bmp": ("L", "RGB")}  # fmt: skip


def picture(random: np.random.Generator) -> bytes:
    """A small picture of 0 and 255 in a random format."""
    kind = list(FORMATS)[random.integers(len(FORMATS))]
    mode = FORMATS[kind][random.integers(len(FORMATS[kind]))]
    inside = np.zeros(SIZE, np.uint8)
    inside[4:12, 5:20] = 255
    image = (
        Image.fromarray(inside.astype(np.uint16))
        if mode == "I;16"
        else Image.fromarray(inside).convert(mode)
    )
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def images(rounds: Iterator[np.random.Generator]) -> Counter[str]:
    def read(path: Path) -> None:
        pixels = read_rgb(path)
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3

    return _tried(rounds, read)


def masks(rounds: Iterator[np.random.Generator]) -> Counter[str]:
    data = experiment().data

    def read(path: Path) -> None:
        sample = Sample("x", path, (path,))
        truth = SampleReader(data).truth(sample, SIZE)
        assert truth.planes.shape == (1, *SIZE) and set(np.unique(truth.planes)) <= {0, 1}

    return _tried(rounds, read)


def _tried(rounds: Iterator[np.random.Generator], read: Callable[[Path], None]) -> Counter[str]:
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged.png")
        for random in rounds:
            path.write_bytes(mutated(picture(random), random))
            try:
                read(path)
                ends["read"] += 1
            except DataError as error:
                assert "damaged.png" in str(error)
                ends["refused"] += 1
    return ends


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", [images, masks])
def test_pictures(target: Callable[..., Counter[str]], record_property: Record) -> None:
    ends = report(record_property, target, some(120))
    assert ends["read"] > 3 and ends["refused"] > 30


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", [images, masks])
def test_pictures_for_minutes(target: Callable[..., Counter[str]], record_property: Record) -> None:
    report(record_property, target, for_minutes())
