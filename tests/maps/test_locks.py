"""One writer a range: others are refused with its pid, and a dead one holds nothing."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtefactError
from pipeline.maps import MapShape, MapStore
from pipeline.maps.locks import exclusive
from tests.helpers.small_stores import contents, forked

IDS = [str(i) for i in range(40)]


def create(folder: Path) -> MapStore:
    return MapStore.create(folder, [MapShape(id, 20, 30) for id in IDS], ["a"], fingerprint="f")


def fill(store: MapStore, ids: list[str]) -> None:
    with store.claim(ids):
        for id in ids:
            values = np.random.default_rng(int(id)).random((1, 20, 30), dtype=np.float32)
            store.write({id: values})


@contextmanager
def owner_elsewhere(folder: Path, ids: list[str]) -> Iterator[multiprocessing.process.BaseProcess]:
    """A process that has claimed those ids and does not let go until it is killed."""
    context = multiprocessing.get_context("fork")
    holds, never = context.Event(), context.Event()

    def hold() -> None:
        with create(folder).claim(ids):
            holds.set()
            never.wait()

    process = context.Process(target=hold)
    process.start()
    try:
        assert holds.wait(20)
        yield process
    finally:
        process.kill()
        process.join()


def test_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    store = create(tmp_path)
    with owner_elsewhere(tmp_path, IDS[10:20]) as owner:
        for ids in (IDS, IDS[19:], IDS[:11], ["15"]):
            with pytest.raises(ArtefactError, match=f"{tmp_path}.* by process {owner.pid};"):
                fill(store, ids)
        with pytest.raises(ArtefactError, match=f"process {owner.pid};"):
            store.reset(["12"])
        with pytest.raises(ArtefactError, match=f"process {owner.pid};"):
            store.write({"12": np.zeros((1, 20, 30), np.float32)})
        assert store.pending() == IDS
        fill(store, IDS[:10] + IDS[20:])  # the rest is free
        assert store.pending() == IDS[10:20]


def test_a_refused_claim_holds_nothing(tmp_path: Path) -> None:
    store = create(tmp_path)
    wanted = IDS[:10] + IDS[20:]
    with owner_elsewhere(tmp_path, ["30"]), pytest.raises(ArtefactError), store.claim(wanted):
        pass
    with owner_elsewhere(tmp_path, IDS[:10]):
        pass


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    store = create(tmp_path)
    with owner_elsewhere(tmp_path, IDS) as owner:
        owner.kill()
        owner.join()
        fill(store, IDS)
    assert store.is_complete


def test_readers_never_wait(tmp_path: Path) -> None:
    fill(create(tmp_path), IDS[:5])
    with owner_elsewhere(tmp_path, IDS):
        store = MapStore.open(tmp_path)
        assert store.read("3").shape == (1, 20, 30)
        assert len(list(store.verify())) == len(IDS) - 5


def test_the_same_process_does_not_write_twice_either(tmp_path: Path) -> None:
    first, second = create(tmp_path), create(tmp_path)
    with first.claim(IDS[:9]):
        with pytest.raises(ArtefactError, match=f"process {os.getpid()};"):
            fill(second, IDS[8:])
        fill(second, IDS[20:])
        # Neither the refusal nor the second store's end has freed what the first one holds.
        process = forked(lambda: fill(create(tmp_path), IDS[:3]))
        process.join()
        assert process.exitcode == 1
        first.write({"1": np.zeros((1, 20, 30), np.float32)})
    fill(second, IDS[:20])
    assert first.is_complete


def test_a_claim_may_have_gaps(tmp_path: Path) -> None:
    store = create(tmp_path)
    with owner_elsewhere(tmp_path, IDS[::2]):
        fill(store, IDS[1::2])
        with pytest.raises(ArtefactError):
            fill(store, IDS[1:3])


def test_a_child_forked_in_a_claim_does_not_own_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with exclusive(lock, [1]):
        context = multiprocessing.get_context("fork")
        end = context.Event()
        orphan = context.Process(target=end.wait)
        orphan.start()
    other = forked(lambda: exclusive(lock, [1]).__enter__())
    other.join()
    assert other.exitcode == 0
    end.set()
    orphan.join()


def test_many_processes_fill_one_store(tmp_path: Path) -> None:
    fill(create(tmp_path / "alone"), IDS)

    def work(part: int) -> None:
        fill(create(tmp_path / "together"), IDS[part * 8 : part * 8 + 8])

    processes = [forked(lambda part=part: work(part)) for part in range(5)]  # type: ignore[misc]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert contents(tmp_path / "alone") == contents(tmp_path / "together")
