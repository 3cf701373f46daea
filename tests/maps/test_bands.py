"""Maps that come in bands: the same bytes as whole ones, and nothing false after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import ArtefactError, ConfigError, TrainingError
from pipeline.maps import Accumulator, MapShape, MapStore
from pipeline.maps.quantise import quantise
from tests.helpers.small_stores import (
    CLASSES,
    IDS,
    contents,
    count_lines,
    create,
    fill,
    forked,
    kill_at_line,
    shapes,
    soft_map,
)

FEW = IDS[:3]
WEIGHTS = {"unet/0": 40000, "fpn/0": 25536}


def bands(values: NDArray[np.float32], rows: int = 4) -> Iterator[NDArray[np.float32]]:
    for top in range(0, values.shape[1], rows):
        yield values[:, top : top + rows]


def fill_in_bands(store: MapStore, ids: list[str]) -> None:
    for shape in shapes(ids):
        if shape.id in store.pending():
            store.write_bands(shape.id, bands(soft_map(shape)))


@pytest.mark.parametrize("codec", ["raw", "blosc2"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_bands_give_the_bytes_of_whole_maps(tmp_path: Path, codec: str, dtype: str) -> None:
    fill(create(tmp_path / "whole", codec=codec, dtype=dtype))
    fill_in_bands(create(tmp_path / "bands", codec=codec, dtype=dtype), IDS)
    assert contents(tmp_path / "bands") == contents(tmp_path / "whole")
    assert list(MapStore.open(tmp_path / "bands").verify()) == []


@pytest.mark.parametrize("codec", ["raw", "blosc2"])
def test_a_map_whose_bands_stop_is_not_done(tmp_path: Path, codec: str) -> None:
    store, (shape, *_) = create(tmp_path, FEW, codec=codec), shapes(FEW)
    fill(store, FEW)
    whole = soft_map(shape)

    def broken() -> Iterator[NDArray[np.float32]]:
        yield whole[:, :3]
        raise MemoryError

    with pytest.raises(MemoryError):
        store.write_bands(shape.id, broken())
    assert store.pending() == [shape.id]
    with pytest.raises(ArtefactError, match="3 of the 11 rows"):
        store.write_bands(shape.id, [whole[:, :3]])
    with pytest.raises(ArtefactError, match="there is room for"):
        store.write_bands(shape.id, [whole, whole])
    with pytest.raises(TrainingError, match="NaN"):
        store.write_bands(shape.id, [np.full_like(whole, np.nan)])
    assert store.pending() == [shape.id]


@pytest.mark.parametrize("codec", ["raw", "blosc2"])
@pytest.mark.parametrize("step", [107, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_at_any_line(fast_folder: Path, codec: str, step: int) -> None:
    whole = fast_folder / "whole"
    create(whole, FEW, codec=codec)
    lines = count_lines(lambda: fill_in_bands(create(whole, FEW, codec=codec), FEW))
    for line in range(0, lines, step):
        folder = fast_folder / str(line)
        create(folder, FEW, codec=codec)
        killed = forked(
            lambda line=line, folder=folder: (  # type: ignore[misc]
                kill_at_line(line),
                fill_in_bands(create(folder, FEW, codec=codec), FEW),
            )
        )
        killed.join()
        assert killed.exitcode == -9
        store = MapStore.open(folder)
        assert {problem.id for problem in store.verify()} == set(store.pending())
        fill_in_bands(create(folder, FEW, codec=codec), FEW)
        assert contents(folder) == contents(whole), f"killed at line {line}"


def sums_of(folder: Path) -> Accumulator:
    return Accumulator.create(folder, shapes(FEW), CLASSES, WEIGHTS, fingerprint="f1")


def add_in_bands(sums: Accumulator) -> None:
    """One member after the other, image by image."""
    for shape in shapes(FEW):
        for member in WEIGHTS:
            if shape.id in sums.pending(member):
                values = soft_map(shape, salt=member)
                sums.add_bands(
                    shape.id, member, (quantise(each, "uint8") for each in bands(values))
                )


def test_sums_of_bands_are_those_of_whole_maps(tmp_path: Path) -> None:
    sums = sums_of(tmp_path / "whole")
    for shape in shapes(FEW):
        sums.add({
            shape.id: {name: quantise(soft_map(shape, salt=name), "uint8") for name in WEIGHTS}
        })  # fmt: skip
    add_in_bands(sums_of(tmp_path / "bands"))
    assert contents(tmp_path / "bands") == contents(tmp_path / "whole")
    assert list(Accumulator.open(tmp_path / "bands").verify()) == []
    with pytest.raises(ArtefactError, match="already"):
        sums.add_bands(FEW[0], "unet/0", [])


def test_a_sum_whose_bands_stop_has_no_member(tmp_path: Path) -> None:
    sums, (shape, *_) = sums_of(tmp_path), shapes(FEW)
    add_in_bands(sums)
    sums.reset([shape.id])
    first, second = WEIGHTS
    sums.add_bands(shape.id, first, [quantise(soft_map(shape), "uint8")])
    with pytest.raises(ArtefactError, match="rows of a map came"):
        sums.add_bands(shape.id, second, [quantise(soft_map(shape)[:, :2], "uint8")])
    assert sums.pending(first) == sums.pending(second) == [shape.id]


@pytest.mark.slow
def test_kill_while_bands_are_added(fast_folder: Path) -> None:
    whole = fast_folder / "whole"
    lines = count_lines(lambda: add_in_bands(sums_of(whole)))
    for line in range(5, lines, 61):
        folder = fast_folder / str(line)
        killed = forked(
            lambda line=line, folder=folder: (kill_at_line(line), add_in_bands(sums_of(folder)))  # type: ignore[misc]
        )
        killed.join()
        assert killed.exitcode == -9
        add_in_bands(sums_of(folder))
        assert contents(folder) == contents(whole), f"killed at line {line}"


def test_a_map_too_large_to_be_packed_is_an_error_before_anything_is_written(
    tmp_path: Path,
) -> None:
    shape = MapShape("slide", 30_000, 40_000)
    with pytest.raises(ConfigError, match=r"2 GiB, and that of 'slide' has 2,400,000,\d+ bytes"):
        MapStore.create(tmp_path, [shape], CLASSES, fingerprint="f", codec="blosc2")
    assert not list(tmp_path.rglob("maps*"))
