"""The cores that a process may use, in groups of the kernel as containers show them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import cores
from pipeline.cores import computing_threads, loader_workers, usable_cores
from pipeline.execution import devices
from pipeline.execution.devices import Machine


@pytest.fixture(autouse=True)
def sixty_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def _files(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")


def _cores(tmp_path: Path, mine: str) -> int:
    path = tmp_path / "mine"
    path.write_text(mine + "\n")
    return usable_cores(tmp_path / "cgroup", path)


def test_without_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 64
    assert _cores(tmp_path, "0::/") == 64


def test_the_quota_of_a_container_counts(tmp_path: Path) -> None:
    """Whose own group is the root there, also when its name outside is what the kernel says."""
    _files(tmp_path / "cgroup", cpu__max="400000 100000")
    assert _cores(tmp_path, "0::/") == 4
    assert _cores(tmp_path, "0::/outside/name") == 4


def test_a_part_of_a_core_is_a_core(tmp_path: Path) -> None:
    _files(tmp_path / "cgroup", cpu__max="250000 100000")
    assert _cores(tmp_path, "0::/") == 3
    _files(tmp_path / "cgroup", cpu__max="1000 100000")
    assert _cores(tmp_path, "0::/") == 1


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    _files(tmp_path / "cgroup/slurm", cpu__max="600000 100000")
    _files(tmp_path / "cgroup/slurm/job", cpu__max="max 100000")
    assert _cores(tmp_path, "0::/slurm/job/step") == 6
    _files(tmp_path / "cgroup/slurm/job", cpu__max="200000 100000")
    assert _cores(tmp_path, "0::/slurm/job/step") == 2


def test_the_first_version_of_groups_is_read_too(tmp_path: Path) -> None:
    mine = "4:cpuset:/\n2:cpu,cpuacct:/job\n0::/"
    _files(tmp_path / "cgroup/cpu/job", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert _cores(tmp_path, mine) == 64
    _files(tmp_path / "cgroup/cpu/job", cpu__cfs_quota_us="500000", cpu__cfs_period_us="100000")
    assert _cores(tmp_path, mine) == 5


def test_threads_and_loaders_share_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda: 6)
    machine = Machine.detect(devices=["cpu"])
    assert machine.cores == 6 and len(machine.devices) == 6
    assert Machine.detect(2, ["cpu"]).cores_each(2) == 3


def test_a_job_starts_as_many_loaders_as_it_has_cores_besides_its_own() -> None:
    assert [loader_workers(threads) for threads in (1, 2, 4)] == [1, 1, 3]
    assert loader_workers(64) == cores.MOST_LOADERS


@pytest.mark.parametrize(
    ("asked", "threads"),
    [("1", 1), ("3,1", 3), ("64", 8), ("", 8), ("0", 8), ("all", 8), (" 2 ", 2)],
)
def test_whoever_divides_the_machine_by_omp_num_threads_is_heard(asked: str, threads: int) -> None:
    assert computing_threads(8, {"OMP_NUM_THREADS": asked}) == threads
    assert devices.binding("cpu", 8, {"OMP_NUM_THREADS": asked})["MKL_NUM_THREADS"] == str(threads)
