"""Real schedulers and workers on loopback, of other working directories and host names."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pipeline.maps import MapStore
from tests.helpers.cluster import REPOSITORY, Loopback, environment, loopback
from tests.helpers.cluster_jobs import starts
from tests.helpers.competitions import TINY, draw_discs, raw_experiment
from tests.helpers.training_jobs import member_bytes
from tests.helpers.waiting import wait_until

pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LONG_S = 300


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Loopback]:
    with loopback(tmp_path / "cluster") as made:
        yield made
        wait_until(lambda: len(made.jobs()) <= len(made.workers), 30)  # no more than spares


def drive(
    cluster: str, folder: Path, jobs: list[Any], path: str = os.environ["PATH"], **options: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.cluster_driver", cluster, str(folder),
         json.dumps(jobs)],
        cwd=folder, env=environment(PATH=path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **options,
    )  # fmt: skip


def ended(driver: subprocess.Popen[str], code: int = 0) -> Any:
    output, errors = driver.communicate(timeout=LONG_S)
    assert driver.returncode == code, (output, errors)
    return json.loads(output) if code == 0 else errors


def both_run(folder: Path) -> None:
    wait_until(lambda: starts(folder, "a") and starts(folder, "b"))


def hosts_of(folder: Path, name: str) -> list[str]:
    return [line.split()[1] for line in starts(folder, name)]


def pids_of(folder: Path, name: str) -> list[int]:
    return [int(line.split()[0]) for line in starts(folder, name)]


def test_fifty_jobs_of_a_second_take_hardly_longer_than_twenty_five(
    cluster: Loopback, tmp_path: Path
) -> None:
    wait_until(lambda: "Registered" in (tmp_path / "cluster/box-b/log").read_text())
    told = ended(drive(cluster.address, tmp_path, [[f"j{n}", "nap", 1.0] for n in range(50)]))
    assert len(set(told["values"].values())) == 50  # a process each
    assert told["seconds"] <= 1.1 * 25


def test_a_killed_worker_and_a_killed_job_cost_an_attempt_each(
    cluster: Loopback, tmp_path: Path
) -> None:
    jobs = [["a", "work", str(tmp_path), "a", 8], ["b", "work", str(tmp_path), "b", 8],
            ["c", "die", str(tmp_path), "c", 1]]  # fmt: skip
    driver = drive(cluster.address, tmp_path, jobs)
    both_run(tmp_path)
    (host,) = hosts_of(tmp_path, "a")
    cluster.worker_process(host).kill()
    told = ended(driver)
    assert told["values"] == {"a": "a", "b": "b", "c": "survived"}
    assert len(starts(tmp_path, "a")) == 2 and len(starts(tmp_path, "b")) == 1
    assert hosts_of(tmp_path, "c")[0] != hosts_of(tmp_path, "c")[1]
    assert any("killed by SIGKILL" in line for line in told["warned"])


def test_a_job_that_always_dies_costs_no_other_job_anything(
    cluster: Loopback, tmp_path: Path
) -> None:
    jobs = [["p", "die", str(tmp_path), "p", 99]]
    jobs += [[f"j{n}", "work", str(tmp_path), f"j{n}", 0.3] for n in range(8)]
    errors = ended(drive(cluster.address, tmp_path, jobs), code=1)
    assert "p: its worker died 3×" in errors and len(starts(tmp_path, "p")) == 3
    assert all(len(starts(tmp_path, f"j{n}")) == 1 for n in range(8))


@pytest.mark.parametrize("whole_group", [False, True])
def test_ctrl_c_saves_the_state_of_all_and_leaves_nothing_running(
    cluster: Loopback, tmp_path: Path, whole_group: bool
) -> None:
    jobs = [[name, "work_until_stop", str(tmp_path), name] for name in "abcd"]
    driver = drive(cluster.address, tmp_path, jobs, start_new_session=True)
    both_run(tmp_path)
    (os.killpg if whole_group else os.kill)(driver.pid, signal.SIGINT)
    assert "state is saved" in ended(driver, code=130)
    assert {path.name for path in tmp_path.glob("*.saved")} == {"a.saved", "b.saved"}
    assert not starts(tmp_path, "c")
    told = ended(drive(cluster.address, tmp_path, jobs[:2]))  # another run: the flag was not its
    assert set(told["values"].values()) == {"continued"}


def test_workers_of_this_command_end_with_it(tmp_path: Path) -> None:
    """`local: 2`, and a Ctrl-C that the terminal sends to all processes in front."""
    (tmp_path / "cluster.yaml").write_text("local: 2")
    jobs = [[name, "work_until_stop", str(tmp_path), name] for name in "ab"]
    driver = drive("cluster.yaml", tmp_path, jobs, start_new_session=True)
    both_run(tmp_path)
    others = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)
    assert "state is saved" in ended(driver, code=130)
    assert (tmp_path / "a.saved").exists() and (tmp_path / "b.saved").exists()
    assert not psutil.wait_procs(others, timeout=30)[1]


def test_the_jobs_of_a_killed_driver_save_their_state_and_end(
    cluster: Loopback, tmp_path: Path
) -> None:
    driver = drive(
        cluster.address, tmp_path, [[n, "work_until_stop", str(tmp_path), n] for n in "ab"]
    )
    both_run(tmp_path)
    driver.kill()
    driver.communicate()
    wait_until(lambda: (tmp_path / "a.saved").exists() and (tmp_path / "b.saved").exists())
    pids = [*pids_of(tmp_path, "a"), *pids_of(tmp_path, "b")]
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), 30)


def test_a_scheduler_that_is_lost_is_one_clear_error(cluster: Loopback, tmp_path: Path) -> None:
    driver = drive(
        cluster.address, tmp_path, [[n, "work_until_stop", str(tmp_path), n] for n in "ab"]
    )
    both_run(tmp_path)
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    errors = ended(driver, code=1)
    assert "the connection to the scheduler" in errors and "Traceback" not in errors
    wait_until(lambda: (tmp_path / "a.saved").exists() and (tmp_path / "b.saved").exists())
    wait_until(lambda: not cluster.jobs(), 60)


def test_a_preempted_worker_saves_its_job_which_moves(cluster: Loopback, tmp_path: Path) -> None:
    """SIGTERM to `dask worker`, as a spot machine or Slurm sends it."""
    jobs = [["a", "work_until_stop", str(tmp_path), "a"], ["b", "work", str(tmp_path), "b", 6]]
    driver = drive(cluster.address, tmp_path, jobs)
    both_run(tmp_path)
    (host,) = hosts_of(tmp_path, "a")
    cluster.workers[host].terminate()
    told = ended(driver)
    assert told["values"] == {"a": "continued", "b": "b"} and not told["warned"]


def test_a_worker_whose_lease_ends_gets_no_more_jobs(cluster: Loopback, tmp_path: Path) -> None:
    until = time.time() + 45
    cluster.begin_worker("box-c", MASKMILL_UNTIL=str(until))
    wait_until(lambda: "Registered" in (tmp_path / "cluster/box-c/log").read_text())
    jobs = [[n, "work_until_stop", str(tmp_path), n] for n in "abc"]
    driver = drive(cluster.address, tmp_path, jobs)
    wait_until(lambda: all(starts(tmp_path, name) for name in "abc"))
    (moving,) = [name for name in "abc" if hosts_of(tmp_path, name) == ["box-c"]]
    wait_until(lambda: (tmp_path / f"{moving}.saved").exists(), 90)
    for name in {*"abc"} - {moving}:
        (tmp_path / f"{name}.saved").touch()
        os.kill(pids_of(tmp_path, name)[0], signal.SIGTERM)
    told = ended(driver)
    assert set(told["values"].values()) == {"continued"} and not told["warned"]
    assert "box-c" not in hosts_of(tmp_path, moving)[1:]


def test_a_thawed_worker_does_not_write_over_its_successor(tmp_path: Path) -> None:
    with loopback(tmp_path / "cluster", ("box-a",)) as cluster:
        jobs = [["a", "publish_late", str(tmp_path), "a", 20]]
        driver = drive(cluster.address, tmp_path, jobs)
        wait_until(lambda: starts(tmp_path, "a"))
        frozen = [psutil.Process(cluster.workers["box-a"].pid)]
        frozen += frozen[0].children(recursive=True)
        for each in frozen:
            each.suspend()
        cluster.begin_worker("box-b")
        (job,) = pids_of(tmp_path, "a")
        wait_until((tmp_path / "a.published").exists, 120)
        for each in frozen:
            each.resume()
        told = ended(driver)
        wait_until(lambda: not psutil.pid_exists(job), 60)
        assert told["values"] == {"a": "box-b"}
        assert (tmp_path / "a.published").read_text() == "box-b"


def test_another_version_is_refused_before_any_work(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(REPOSITORY / "pipeline", other / "pipeline")
    init = other / "pipeline" / "__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', '__version__ = "9.'))
    with loopback(tmp_path / "cluster", ()) as cluster:
        cluster.begin_worker("box-a", PYTHONPATH=str(other))
        errors = ended(drive(cluster.address, tmp_path, [["a", "nap", 0]]), code=1)
    assert "box-a: maskmill is 9." in errors and "the source of maskmill is" in errors
    assert "Install the same environment on all machines" in errors


def test_a_worker_without_maskmill_is_named(tmp_path: Path) -> None:
    with loopback(tmp_path / "cluster", ()) as cluster:
        cluster.begin_worker("box-a", PYTHONPATH=str(tmp_path))
        errors = ended(drive(cluster.address, tmp_path, [["a", "nap", 0]]), code=1)
    assert "tcp://127.0.0.1:" in errors and "cannot run Maskmill" in errors


def _experiment(data: Path, **blocks: Any) -> dict[str, Any]:
    train = {"size": [32, 32], "epochs": 1, "batch": 4, "workers": 0}
    models = {"a": {"decoder": "linknet", **TINY}, "b": {"decoder": "unet", **TINY}}
    return raw_experiment(data, train=train, models=models, infer={"tta": ["identity"]}, **blocks)


def _make(folder: Path, data: Path, stage: str, *more: str, **blocks: Any) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "discs.yaml").write_text(yaml.safe_dump(_experiment(data, **blocks)))
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", stage, "--config", "discs.yaml", *more],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _made(folder: Path) -> dict[str, Any]:
    """What a run leaves, without what says when and where it ran."""
    run = folder / "runs" / "discs"
    found: dict[str, Any] = {
        str(path.relative_to(run)): member_bytes(path) for path in sorted(run.glob("[ab]/fold*"))
    }
    for path in [*run.glob("ensemble.*"), *folder.glob("submissions/**/*.csv")]:
        found[str(path.relative_to(folder))] = path.read_bytes()
    for path in run.glob("[ab]/maps/*"):
        store = MapStore.open(path)
        maps = [store.read_raw(each).tobytes() for each in store.ids]
        found[str(path.relative_to(run))] = (store.ids, store.content, maps)
    return found


def test_weights_maps_blend_and_submission_are_those_of_one_machine(
    cluster: Loopback, tmp_path: Path
) -> None:
    """Also when a worker is killed while it trains."""
    data = tmp_path / "data"
    draw_discs(data)
    here = _make(tmp_path / "here", data, "all", "--jobs", "2")
    assert here.communicate(timeout=600)[1] == "" and here.returncode == 0
    there = _make(tmp_path / "there", data, "all", "--cluster", cluster.address)
    run = tmp_path / "there" / "runs"
    wait_until(lambda: any(run.glob(".locks/box-*/cpu-0.lock")), 200)
    time.sleep(3)  # somewhere in the import of torch, or in a step
    (lock, *_) = run.glob(".locks/box-*/cpu-0.lock")
    cluster.worker_process(lock.parent.name).kill()
    output, errors = there.communicate(timeout=900)
    assert there.returncode == 0, (output, errors)
    mine, theirs = _made(tmp_path / "here"), _made(tmp_path / "there")
    assert mine.keys() == theirs.keys() and len(mine) == 4 + 2 + 1 + 4
    assert [name for name in mine if mine[name] != theirs[name]] == []
    shards = [*(tmp_path / "there/runs/discs/a/maps/test").glob("shard*/maps.npy")]
    assert len(shards) == 2 and not [*tmp_path.glob("here/runs/discs/a/maps/test/shard*")]


def test_two_commands_on_one_run_share_its_work(cluster: Loopback, tmp_path: Path) -> None:
    """With sums of maps, which are one file."""
    data, blocks = tmp_path / "data", {"ensemble": {"accumulate": True, "threshold": 0.5}}
    draw_discs(data)
    here = _make(tmp_path / "here", data, "submit", "--jobs", "1", **blocks)
    assert here.communicate(timeout=600)[1] == "" and here.returncode == 0
    there = [
        _make(tmp_path / "there", data, "submit", "--cluster", cluster.address, **blocks)
        for _ in range(2)
    ]
    for each in there:
        output, errors = each.communicate(timeout=900)
        assert each.returncode == 0 and "died" not in errors, (output, errors)
    mine, theirs = _made(tmp_path / "here"), _made(tmp_path / "there")
    assert mine == theirs and len(mine) == 4 + 2 + 1 + 2
    sums = "runs/discs/blend/test/maps.npy"
    assert (tmp_path / "here" / sums).read_bytes() == (tmp_path / "there" / sums).read_bytes()


def test_the_workers_are_described(cluster: Loopback, tmp_path: Path) -> None:
    wait_until(lambda: "Registered" in (tmp_path / "cluster/box-b/log").read_text())
    data = tmp_path / "data"
    draw_discs(data, count=4, test=1)
    told = _make(tmp_path / "x", data, "cluster", "--cluster", cluster.address)
    output, errors = told.communicate(timeout=LONG_S)
    assert told.returncode == 0, errors
    lines = [line for line in output.splitlines() if "box-" in line]
    assert len(lines) == 2 and all(" yes" in line and "cpu" in line for line in lines)


SBATCH = """#!/bin/sh
number=$(ls {folder}/submitted | wc -l)
cp "$1" {folder}/submitted/$number
MASKMILL_HOST=node$number setsid sh {folder}/submitted/$number > {folder}/log$number 2>&1 &
echo $! > {folder}/pid$number
echo Submitted batch job $number
"""
SCANCEL = "#!/bin/sh\nkill -TERM -$(cat {folder}/pid$1)\n"


def test_a_slurm_job_that_is_over_is_submitted_again(tmp_path: Path) -> None:
    """By commands of the names of Slurm's, that run the very script."""
    pytest.importorskip("dask_jobqueue")
    folder = tmp_path / "slurm"
    (folder / "submitted").mkdir(parents=True)
    for name, text in [("sbatch", SBATCH), ("scancel", SCANCEL)]:
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    (tmp_path / "cluster.yaml").write_text("slurm: {jobs: 1}\ninterface: lo")
    job = ["a", "work_until_stop", str(tmp_path), "a"]
    driver = drive(
        "cluster.yaml", tmp_path, [job], path=f"{folder}{os.pathsep}{os.environ['PATH']}"
    )
    try:
        wait_until(lambda: starts(tmp_path, "a") or driver.poll() is not None)
        subprocess.run([folder / "scancel", "0"], check=True)
        told = ended(driver)
    finally:
        for path in folder.glob("pid*"):
            with suppress(ProcessLookupError):
                os.killpg(int(path.read_text()), signal.SIGKILL)
    assert told["values"] == {"a": "continued"} and hosts_of(tmp_path, "a") == ["node0", "node1"]
    script = (folder / "submitted" / "1").read_text()
    assert "#SBATCH -t 08:00:00" in script and "MASKMILL_UNTIL" in script
