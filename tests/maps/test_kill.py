"""SIGKILL at any moment: what is done stays whole, and the next run ends with the same bytes."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.choices import MapDtype
from pipeline.errors import ArtefactError
from pipeline.maps import MapShape, MapStore
from tests.helpers.small_stores import (
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


def check_nothing_false(folder: Path) -> None:
    """Whatever the store calls done is done; a store that is not laid out says so."""
    try:
        store = MapStore.open(folder)
    except ArtefactError as error:
        assert "no map store" in str(error)
        return
    missing = {problem.id for problem in store.verify() if problem.reason == "missing"}
    assert missing == set(store.pending()) == {problem.id for problem in store.verify()}


def check_kill(folder: Path, line: int, codec: str, whole: dict[str, bytes]) -> None:
    killed = forked(lambda: (kill_at_line(line), fill(create(folder, FEW, codec=codec), FEW, 2)))
    killed.join()
    assert killed.exitcode == -9
    if folder.exists():
        check_nothing_false(folder)
    fill(create(folder, FEW, codec=codec), FEW, 2)
    assert contents(folder) == whole, f"killed at line {line}"


@pytest.mark.parametrize("codec", ["raw", "blosc2"])
@pytest.mark.parametrize("step", [59, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_at_any_line(fast_folder: Path, codec: str, step: int) -> None:
    whole = fast_folder / "whole"
    lines = count_lines(lambda: fill(create(whole, FEW, codec=codec), FEW, 2))
    for line in range(0, lines, step):
        check_kill(fast_folder / str(line), line, codec, contents(whole))


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_while_done_maps_are_written_again(fast_folder: Path, step: int) -> None:
    folder = fast_folder / "again"
    store = create(folder, FEW)

    def write_again() -> None:
        store.write({shape.id: soft_map(shape, salt="again") for shape in shapes(FEW)})

    write_again()
    whole = contents(folder)
    for line in range(0, count_lines(write_again), step):
        fill_other(store)
        killed = forked(lambda line=line: (kill_at_line(line), write_again()))  # type: ignore[misc]
        killed.join()
        assert killed.exitcode == -9
        check_nothing_false(folder)
        write_again()
        assert contents(folder) == whole


def fill_other(store: MapStore) -> None:
    store.write({shape.id: soft_map(shape) for shape in shapes(FEW)})


def test_nothing_is_declared_done_before_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power failure would show: the order in which things reach the disk."""
    store = create(tmp_path, FEW)
    done_when: dict[str, list[int]] = {}

    def spy(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def spied(*arguments: object) -> Any:
            done_when.setdefault(name, []).append(len(FEW) - len(store.pending()))
            return call(*arguments)

        return spied

    for name in ("pwrite", "fdatasync"):
        monkeypatch.setattr(os, name, spy(name, getattr(os, name)))
    for written in (0, len(FEW)):  # new maps, then the same again
        assert len(FEW) - len(store.pending()) == written
        fill_other(store)
        assert store.is_complete
    assert done_when == {"pwrite": [0] * 2 * len(FEW), "fdatasync": [0, 0]}


def big_store(folder: Path, dtype: MapDtype = "uint8") -> MapStore:
    shapes = [MapShape(str(i), 300 + i, 400) for i in range(60)]
    return MapStore.create(folder, shapes, ["a"], fingerprint="f", dtype=dtype)


def fill_big(store: MapStore) -> None:
    for id in store.pending():
        values = np.random.default_rng(int(id)).random(store.shape(id), dtype=np.float32)
        store.write({id: values})


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_at_random_moments(tmp_path: Path, kills: int) -> None:
    fill_big(big_store(tmp_path / "whole"))
    moments = random.Random(kills)
    while kills:
        process = forked(lambda: fill_big(big_store(tmp_path / "killed")))
        time.sleep(moments.uniform(0.0, 0.08))
        process.kill()
        process.join()
        kills -= process.exitcode == -9
        check_nothing_false(tmp_path / "killed")
        store = big_store(tmp_path / "killed")
        if store.is_complete:  # so that every kill finds something to interrupt
            store.reset(store.ids[::2])
    fill_big(big_store(tmp_path / "killed"))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
