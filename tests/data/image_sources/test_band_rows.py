"""The rows of an image of bands: no data, and bands of another resolution."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import build_experiment
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.registry import open_array
from pipeline.data.image_sources.band_rows import BandRows, marked
from pipeline.data.image_sources.registry import image_source
from pipeline.data.image_sources.resampled_rows import resampled_rows
from pipeline.errors import DataError
from tests.helpers.kelp import kelp_experiment


def test_numbers_beyond_float32_are_no_data_without_a_word() -> None:
    stored = np.array([[1e300, -1e300, 7, np.inf]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = marked(stored, (1e300, None))[..., 0]
        few = marked(np.float32([[1, 2]]), (-1e300,))[..., 0]
    assert np.isnan(found).tolist() == [[True, True, False, True]] and found[0, 2] == 7
    assert few.tolist() == [[1, 2]]


def test_64_bits_with_the_lowest_number_for_no_data(tmp_path: Path) -> None:
    lowest = np.iinfo(np.int64).min
    np.save(tmp_path / "a.npy", np.array([[lowest, 3], [-4, 5]]))
    found = BandRows((open_array(tmp_path / "a.npy"),), ("x",), {}, float(lowest))[:][..., 0]
    assert np.isnan(found).tolist() == [[True, False], [False, False]] and found[1, 0] == -4
    for beyond in (np.array([[2**53 + 1, 0]]), np.array([[2**64 - 1, 0]], np.uint64)):
        np.save(tmp_path / "b.npy", beyond)
        with pytest.raises(DataError, match=r"b\.npy holds integers of 0 to"):
            open_array(tmp_path / "b.npy").read()


@pytest.mark.parametrize("own", [(12, 16), (7, 5), (40, 61), (1, 1)])
def test_a_band_is_brought_to_the_size_of_others_rows_at_a_time(own: tuple[int, int]) -> None:
    band = np.random.default_rng(0).normal(0, 1, (*own, 1)).astype(np.float32)
    wanted = (24, 31)
    whole = cv2.resize(band, wanted[::-1], interpolation=cv2.INTER_LINEAR)
    most = 0

    def read(rows: slice) -> np.ndarray:
        nonlocal most
        part = band[rows]
        most = max(most, len(part))
        return part

    parts = [
        resampled_rows(read, own, wanted, slice(top, min(top + 5, 24))) for top in range(0, 24, 5)
    ]
    assert np.allclose(np.concatenate(parts)[..., 0], whole, atol=1e-5)
    assert most <= 5 * own[0] / 24 + 2, "no more than is needed"
    band[0, 0] = np.nan
    lost = np.isnan(resampled_rows(read, own, wanted, slice(None)))
    assert lost.mean() <= 1.5 / np.prod(own), "no data does not spread"


def test_few_rows_of_a_file_of_another_resolution_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((64, 8), np.uint8))
    np.save(tmp_path / "b.npy", np.ones((32, 4), np.uint8))
    read: list[slice] = []
    stored = ArrayFile.read

    def noted(self: ArrayFile, rows: slice = slice(None), plane: int | None = None) -> np.ndarray:
        read.append(rows)
        return stored(self, rows, plane)

    files = tuple(open_array(tmp_path / name) for name in ("a.npy", "b.npy"))
    monkeypatch.setattr(ArrayFile, "read", noted)
    found = BandRows(files, ("a", "b"), {}, None)[10:20]
    assert (found == [0, 1]).all() and found.shape == (10, 8, 2)
    assert read[1].stop - read[1].start <= 7


@pytest.mark.parametrize("shape", [(0, 0, 7), (0, 4, 7), (4, 4, 6), (4, 4), (4, 4, 7, 1)])
def test_an_array_that_is_no_image_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    source = image_source(build_experiment(kelp_experiment(tmp_path), source="test").data)
    with pytest.raises(DataError, match="an image is HWC with the bands swir, nir"):
        source.given(np.zeros(shape, np.int16))
