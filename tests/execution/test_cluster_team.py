"""Which worker gets which devices, and what is wrong with a host."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.execution.cluster import probe
from pipeline.execution.cluster.facts import Facts, Question, appears, facts, versions
from pipeline.execution.cluster.team import Team

VERSIONS = {"Python": "3.11", "torch": "2.15.0", "the source of maskmill": "abc"}


def machine(host: str, gpus: tuple[str, ...] = (), cores: int = 8, **changes) -> Facts:
    found = Facts(host, "3.11.7", VERSIONS, time.time(), cores, 2**35, gpus, 2**40, 2**40)
    return replace(found, **changes)


def test_a_gpu_that_two_workers_see_is_one_slot() -> None:
    team = Team()
    for worker in "abc":
        team.add(worker, 1, machine("box", ("0", "1")))
    assert [(slot.worker, slot.gpu, slot.lease) for slot in team.slots] == [
        ("a", "0", "cuda0-0.lock"), ("b", "1", "cuda1-0.lock"),
    ]  # fmt: skip
    team.add("d", 2, machine("other", ("0", "1", "2")))
    assert [slot.gpu for slot in team.slots if slot.host == "other"] == ["0", "1"]
    team.remove("a")
    (slot,) = team.add("e", 1, machine("box", ("0", "1")))  # its nanny has started it again
    assert slot.gpu == "0"


def test_cpu_slots_of_a_host_have_leases_of_their_own() -> None:
    team = Team()
    team.add("a", 2, machine("box"))
    team.add("b", 1, machine("box"))
    team.add("c", 1, machine("other"))
    leases = [(slot.host, slot.lease) for slot in team.slots]
    assert leases == [("box", f"cpu-{n}.lock") for n in range(3)] + [("other", "cpu-0.lock")]
    team.remove("a")
    assert [slot.lease for slot in team.add("d", 2, machine("box"))] == ["cpu-0.lock", "cpu-1.lock"]


def test_the_cores_of_a_host_are_shared_by_its_slots() -> None:
    team = Team()
    team.add("a", 2, machine("box", cores=64))
    team.add("b", 2, machine("box", cores=64))
    assert team.cores_each == 16
    team.add("c", 1, machine("laptop", cores=6))
    assert team.cores_each == 6  # of every job, so that it may move
    own = Team(own_cores=True)
    for worker in "ab":
        own.add(worker, 1, machine("box", cores=16))  # a Slurm job each
    assert own.cores_each == 16


def test_jobs_and_devices_limit_the_slots() -> None:
    team = Team(on_cpu=True, limit=3)
    team.add("a", 2, machine("box", ("0", "1")))
    team.add("b", 2, machine("other", ("0", "1")))
    assert len(team.slots) == 3 and not any(slot.gpu for slot in team.slots)


@pytest.fixture
def asked(tmp_path: Path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "a.png").write_bytes(b"a picture")
    with probe.question(tmp_path / "runs", tmp_path / "data") as question:
        yield replace(question, patience_s=0.2)


def told(asked: Question, found: Facts) -> list[str]:
    now = time.time()
    return probe.problems(asked, probe.Answer(found, now, now), VERSIONS)


def test_a_machine_that_sees_the_same_has_no_problem(asked: Question) -> None:
    found = facts(asked)
    assert found.folder_there and found.secret_seen and found.locked_out
    assert not found.missing_data and len(asked.data) == 1
    assert probe.problems(asked, probe.answered(found, time.time())) == []
    assert probe.shares_disk(asked, found) and not probe.warnings(asked, found)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"versions": {**VERSIONS, "torch": "2.14.1"}}, "torch is 2.14.1 there and 2.15.0 here"),
        (
            {"versions": {"Python": "3.11", "torch": "2.15.0"}},
            "source of maskmill is missing there",
        ),
        ({"clock": 0.0}, "its clock is off by"),
        ({"temporary": 10**6}, "1,000,000 bytes are free"),
        ({"folder_there": False}, "is not there; all machines need it at the same path"),
        ({"secret_seen": False}, "is not seen there; is it on a shared disk"),
        ({"wrote": ""}, "cannot be written to"),
        ({"wrote": "elsewhere"}, "is not seen here; is it on a shared disk"),
        ({"missing_data": (Path("/data/a.png"),)}, "/data/a.png is not there, or is another file"),
    ],
)
def test_a_problem_names_the_host(asked: Question, changes: dict, text: str) -> None:
    good = {"wrote": facts(asked).wrote}
    assert told(asked, machine("box-7", **good)) == []
    (line,) = told(asked, machine("box-7", **{**good, **changes}))
    assert line.startswith("box-7: ") and text in line


def test_locks_that_do_not_reach_a_host_are_a_warning(asked: Question) -> None:
    (line,) = probe.warnings(asked, machine("box-7", locked_out=False))
    assert line.startswith("box-7: a lock of this machine does not hold there")


def test_other_data_of_that_name_is_found(asked: Question) -> None:
    (path,) = asked.data
    path.write_bytes(b"a pictur3")
    assert facts(asked).missing_data == (path,)


def test_a_disk_that_another_machine_does_not_share(asked: Question, tmp_path: Path) -> None:
    elsewhere = replace(asked, probe=tmp_path / "elsewhere")
    elsewhere.probe.mkdir()
    found = facts(elsewhere)
    assert not found.secret_seen and not probe.shares_disk(asked, found)
    assert "is not seen there" in "".join(told(asked, replace(found, versions=VERSIONS)))


def test_what_appears_late_is_waited_for(tmp_path: Path) -> None:
    assert not appears(tmp_path / "x", "1", 0.15)
    (tmp_path / "x").write_text("1")
    assert appears(tmp_path / "x", "1", 0.0)


def test_the_versions_that_numbers_depend_on_are_compared() -> None:
    found = versions()
    assert {"torch", "numpy", "maskmill", "the source of maskmill", "Python"} <= found.keys()
