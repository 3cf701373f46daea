"""What a network is shown: the image, or image and aligned reference, and its truth."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline.channels import Channels
from pipeline.data.catalog import list_samples
from pipeline.data.samples import SampleReader
from pipeline.errors import DataError
from tests.helpers.data_folders import config, save, smooth, write


def drawn(root: Path) -> Path:
    save(root / "images/a.png", smooth(8, 10))
    save(root / "masks/a.png", np.eye(8, 10, dtype=np.uint8))
    return root


def test_an_image_alone_has_three_channels(tmp_path: Path) -> None:
    data = config(drawn(tmp_path))
    reader = SampleReader(data)
    image = reader.image(list_samples(data).train[0])
    assert reader.channels == Channels(3)
    assert np.array_equal(image, smooth(8, 10))


def test_a_reference_follows_on_the_channels(tmp_path: Path) -> None:
    data = config(drawn(tmp_path))
    save(tmp_path / "aligned/train/a.png", smooth(8, 10, seed=3))
    reader = SampleReader(data, tmp_path / "aligned")
    image = reader.image(list_samples(data).train[0])
    assert reader.channels == Channels(3, references=True)
    assert np.array_equal(image, np.dstack([smooth(8, 10), smooth(8, 10, seed=3)]))


def test_a_reference_that_does_not_fit_is_named(tmp_path: Path) -> None:
    data = config(drawn(tmp_path))
    sample = list_samples(data).train[0]
    reader = SampleReader(data, tmp_path / "aligned")
    with pytest.raises(DataError, match=r"aligned/train/a\.png cannot be read"):
        reader.image(sample)
    save(tmp_path / "aligned/train/a.png", smooth(9, 10))
    with pytest.raises(DataError, match="a: its aligned reference has another size"):
        reader.image(sample)


def test_readers_are_pickled_without_their_tables(tmp_path: Path) -> None:
    rows = "".join(f"x{number},1 2\n" for number in range(5000))
    write(tmp_path / "train.csv", f"ImageId,EncodedPixels\na,1 3\n{rows}")
    data = config(drawn(tmp_path), masks={"csv": "train.csv"})
    sample = list_samples(data).train[0]
    reader = SampleReader(data, tmp_path)
    before = len(pickle.dumps(reader))
    truth = reader.truth(sample, (8, 10))
    assert len(pickle.dumps(reader)) == before < 4000
    again = pickle.loads(pickle.dumps(reader))
    assert again == reader
    assert np.array_equal(again.truth(sample, (8, 10)).planes, truth.planes)
    assert truth.planes.sum() == 3
