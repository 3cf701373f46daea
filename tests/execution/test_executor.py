"""Jobs queue for devices, survive dead workers, and fail one by one."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from pipeline.cores import usable_cores
from pipeline.errors import (
    DataError,
    InterruptedRunError,
    MaskmillError,
    ResourceError,
    TrainingError,
)
from pipeline.execution.devices import binding, lock_name
from pipeline.execution.executor import Job, JobContext, Machine, run_jobs
from pipeline.host import host_name
from pipeline.locks import hold
from pipeline.reporting import SilentReporter, running_jobs
from pipeline.workspace import Workspace
from tests.helpers.waiting import wait_until

TWO = Machine(("cpu", "cpu"), cores=1)
ONE = Machine(("cpu",), cores=1)


def run(jobs: list[Job], machine: Machine, folder: Path, reporter: SilentReporter | None = None):
    return run_jobs("test", jobs, machine, Workspace("x", folder), reporter or SilentReporter())


def double(number: int, context: JobContext) -> int:
    return 2 * number


def occupy(log: str, context: JobContext) -> str:
    """Notes when it holds its device, for 0.3 s."""
    started = time.time()
    time.sleep(0.3)
    with Path(log).open("a") as stream:
        stream.write(f"{context.device} {started} {time.time()}\n")
    return context.device


def die_once(marker: str, context: JobContext) -> str:
    """The OOM killer comes for the first attempt."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die_always(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(error: str, context: JobContext) -> None:
    raise {"data": DataError("bad image x7"), "bug": ZeroDivisionError("oops")}[error]


def wait_for_stop(marker: str, context: JobContext) -> None:
    Path(marker).touch()
    while not context.stop:
        time.sleep(0.02)
    Path(marker + ".saved").touch()
    context.stop.check()


HOARD: list[bytearray] = []


def hoard_until_stop(marker: str, context: JobContext) -> None:
    """Grows so much that loky replaces its worker by a new one, which no signal has reached."""
    HOARD.append(bytearray(400 * 2**20))
    time.sleep(1.1)  # loky looks once a second
    wait_for_stop(marker, context)


@pytest.mark.parametrize("machine", [ONE, TWO], ids=["inline", "pool"])
def test_every_job_gives_its_value(machine: Machine, tmp_path: Path) -> None:
    jobs = [Job(f"j{number}", double, (number,)) for number in range(5)]
    assert run(jobs, machine, tmp_path) == {f"j{number}": 2 * number for number in range(5)}


def test_more_jobs_than_devices_queue_and_no_device_is_shared(tmp_path: Path) -> None:
    machine = Machine(("gpu:0", "gpu:1"), cores=1)
    log = tmp_path / "log"
    run([Job(f"j{number}", occupy, (str(log),)) for number in range(6)], machine, tmp_path)
    held = [line.split() for line in log.read_text().splitlines()]
    assert len(held) == 6
    for device in machine.devices:
        spans = sorted((float(a), float(b)) for name, a, b in held if name == device)
        assert spans
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_a_dead_worker_is_named_and_its_job_run_again(tmp_path: Path) -> None:
    reporter = SilentReporter()
    jobs = [Job("killed", die_once, (str(tmp_path / "m"),)), Job("other", double, (4,))]
    values = run(jobs, TWO, tmp_path, reporter)
    assert values == {"killed": "survived", "other": 8}
    assert "killed" in reporter.warned[0]


def test_a_job_that_always_dies_is_given_up_and_named(tmp_path: Path) -> None:
    jobs = [Job("doomed", die_always, ()), *(Job(f"j{n}", double, (n,)) for n in range(3))]
    with pytest.raises(ResourceError, match="doomed"):
        run(jobs, TWO, tmp_path)


@pytest.mark.parametrize("machine", [ONE, TWO], ids=["inline", "pool"])
def test_a_failed_job_does_not_stop_the_others(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [Job("bad", fail, ("data",)), *(Job(f"j{n}", occupy, (str(log),)) for n in range(2))]
    with pytest.raises(DataError, match="bad image x7"):
        run(jobs, machine, tmp_path)
    assert len(log.read_text().splitlines()) == 2


def test_a_fault_of_ours_keeps_its_traceback_and_its_job(tmp_path: Path) -> None:
    with pytest.raises(MaskmillError, match=r"(?s)buggy.*ZeroDivisionError: oops"):
        run([Job("buggy", fail, ("bug",))], ONE, tmp_path)


def test_a_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ResourceError, match="cuda:63"):
        Machine.detect(devices=["cuda:63"])
    with pytest.raises(ResourceError, match=r"no device gpu here; there is .*cpu"):
        Machine.detect(devices=["cpu", "gpu"])


def test_jobs_and_threads_share_the_cores() -> None:
    cores = usable_cores()
    assert Machine.detect(1, ["cpu"]) == Machine(("cpu",), cores)
    assert len(Machine.detect(3, ["cpu"]).devices) == 3
    assert Machine.detect(3, ["cpu"]).cores_each(3) == max(1, cores // 3)


PROGRAM = """
import sys
from pathlib import Path
from pipeline.errors import MaskmillError
from pipeline.execution.executor import Job, Machine, run_jobs
from pipeline.reporting import SilentReporter
from pipeline.workspace import Workspace
from tests.execution.test_executor import wait_for_stop
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    jobs = [Job(n, wait_for_stop, (str(folder / n),)) for n in ("a", "b")]
    machine = Machine(("cpu",) * int(sys.argv[2]), 1)
    try:
        run_jobs("t", jobs, machine, Workspace("x", folder), SilentReporter())
    except MaskmillError as error:
        sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    ("slots", "number", "code"),
    [
        pytest.param(1, signal.SIGTERM, 143, id="inline-term"),
        pytest.param(1, signal.SIGINT, 130, id="inline-int", marks=pytest.mark.slow),
        pytest.param(2, signal.SIGTERM, 143, id="pool-term", marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, 130, id="pool-int"),
    ],
)
def test_a_signal_lets_running_jobs_save_and_sets_the_exit_code(
    number: int, code: int, slots: int, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(tmp_path), str(slots)]
    process = subprocess.Popen(command, env=environment)
    running = ["a", "b"][:slots]
    wait_until(lambda: all((tmp_path / name).exists() for name in running))
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    assert all((tmp_path / f"{name}.saved").exists() for name in running)


@pytest.mark.parametrize("slots", [1, 2], ids=["inline", "pool"])
def test_a_job_that_waits_for_a_device_says_so_and_stops_when_told(
    slots: int, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    workspace = Workspace("x", tmp_path)
    with ExitStack() as others:
        for slot in range(slots):
            others.enter_context(hold(workspace.locks / f"cpu-{slot}.lock"))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, str(script), str(tmp_path), str(slots)]
        process = subprocess.Popen(command, env=environment)
        told = f"waits for a device; held by pid {os.getpid()} on {host_name()}"
        try:
            wait_until(lambda: told in {job.note for job in running_jobs(workspace.progress)})
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 143
        finally:
            process.kill()
    assert not (tmp_path / "a").exists()


def test_nothing_new_begins_after_a_signal_though_workers_are_replaced(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    text = PROGRAM.replace("import wait_for_stop", "import double, hoard_until_stop")
    jobs = """[Job(n, double, (1,)) for n in ("1", "2", "3", "4")] + [
        Job(n, hoard_until_stop, (str(folder / n),)) for n in "abcdefgh"]"""
    script.write_text(
        text.replace('[Job(n, wait_for_stop, (str(folder / n),)) for n in ("a", "b")]', jobs)
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path), "2"], env=environment)
    try:
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    finally:
        process.kill()
    assert not any((tmp_path / name).exists() for name in "cdefgh")


def test_workers_of_a_killed_stage_do_not_live_on(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path), "2"], env=environment)
    wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    process.send_signal(signal.SIGKILL)
    process.wait()
    locks = list(Workspace("x", tmp_path).locks.glob("*.lock"))
    pids = [int(lock.read_text().split()[1]) for lock in locks]
    assert pids
    wait_until(lambda: not any(Path(f"/proc/{pid}/status").exists() for pid in pids))


def test_training_errors_travel_from_workers(tmp_path: Path) -> None:
    jobs = [Job("diverged", diverge, ()), Job("fine", double, (1,))]
    with pytest.raises(TrainingError, match="step 7"):
        run(jobs, TWO, tmp_path)


def diverge(context: JobContext) -> None:
    raise TrainingError("diverged: the loss is nan at step 7")


@pytest.fixture
def undivided(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is all ours, other than under the other tests."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def tell_environment(context: JobContext) -> tuple[str, str, str, int, bool]:
    """What a job sees, and whether torch was there before it."""
    imported = "torch" in sys.modules
    time.sleep(0.3)  # so that the other device gets a job, too
    seen, threads = os.environ["CUDA_VISIBLE_DEVICES"], os.environ["OMP_NUM_THREADS"]
    return context.device, seen, threads, os.getpid(), imported


@pytest.mark.usefixtures("undivided")
def test_a_process_sees_its_own_device_alone_before_torch_is_imported(tmp_path: Path) -> None:
    machine = Machine(("cuda:0", "cuda:1", "cuda:2"), cores=64)
    jobs = [Job(f"j{number}", tell_environment, ()) for number in range(2)]
    told = run(jobs, machine, tmp_path).values()
    assert {device for device, *_ in told} == {"cuda:0"}
    assert {seen for _, seen, *_ in told} < {"0", "1", "2"} and len({each[1] for each in told}) == 2
    assert {threads for _, _, threads, *_ in told} == {"32"}  # of those that run, not of slots
    assert not any(imported for *_, imported in told)


@pytest.mark.usefixtures("undivided")
def test_one_job_on_a_gpu_leaves_this_process_without_it(tmp_path: Path) -> None:
    machine = Machine(("cuda:0",), cores=4)
    (told,) = run([Job("only", tell_environment, ())], machine, tmp_path).values()
    assert told[:3] == ("cuda:0", "0", "4") and told[3] != os.getpid()


def test_a_job_on_a_cpu_slot_sees_no_gpu(tmp_path: Path) -> None:
    told = run([Job(f"j{number}", tell_environment, ()) for number in range(2)], TWO, tmp_path)
    assert {seen for _, seen, *_ in told.values()} == {""}


def test_where_only_some_gpus_are_shown_the_first_of_them_is_number_0() -> None:
    shown = {"CUDA_VISIBLE_DEVICES": "5,GPU-3fa2"}
    assert binding("cuda:0", 2, shown)["CUDA_VISIBLE_DEVICES"] == "5"
    assert binding("cuda:1", 2, shown)["CUDA_VISIBLE_DEVICES"] == "GPU-3fa2"
    assert (
        lock_name(["cuda:0"], 0, shown)
        == lock_name(["cuda:5"], 0, {})
        != (lock_name(["cuda:0"], 0, {}))
    )


@pytest.mark.parametrize(
    ("slots", "jobs", "each"), [(2, 2, 32), (8, 2, 32), (64, 2, 32), (64, 99, 1), (2, 1, 64)]
)
def test_threads_are_shared_by_the_jobs_that_run(slots: int, jobs: int, each: int) -> None:
    assert Machine(("cpu",) * slots, cores=64).cores_each(jobs) == each


@pytest.mark.usefixtures("undivided")
def test_a_resumed_run_has_the_threads_that_a_whole_one_has(tmp_path: Path) -> None:
    machine = Machine(("cuda:0", "cuda:1"), cores=64)
    workspace, job = Workspace("x", tmp_path), Job("last", tell_environment, ())
    told = run_jobs("t", [job], machine, workspace, SilentReporter(), width=7)
    assert told["last"][2] == "32"


def fault_once(marker: str, context: JobContext) -> int:
    """The GPU answers nothing but errors to the process that has asked it for too much."""
    if not Path(marker).exists():
        Path(marker).write_text(str(os.getpid()))
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")
    return os.getpid()


def fault_always(context: JobContext) -> None:
    raise RuntimeError("CUDA error: device-side assert triggered")


def test_a_fault_of_a_gpu_ends_its_process_and_poisons_no_other_job(tmp_path: Path) -> None:
    reporter, marker = SilentReporter(), tmp_path / "first"
    jobs = [Job("hit", fault_once, (str(marker),)), Job("next", tell_environment, ())]
    told = run(jobs, Machine(("cuda:0",), 1), tmp_path, reporter)
    pids = {int(marker.read_text()), told["hit"]} | {told["next"][3]}
    assert int(marker.read_text()) not in (told["hit"], told["next"][3]) and len(pids) <= 3
    assert "hit" in reporter.warned[0] and "illegal memory access" in reporter.warned[0]
    with pytest.raises(ResourceError, match=r"bad: its worker died 3×.*device-side assert"):
        run([Job("bad", fault_always, ())], Machine(("cuda:0",), 1), tmp_path, reporter)


def note_and_wait(folder: str, context: JobContext) -> None:
    """Runs until its neighbour has died and come back."""
    with (Path(folder) / "starts").open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    deadline = time.monotonic() + 60
    while not (Path(folder) / "back").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def die_and_come_back(folder: str, context: JobContext) -> None:
    if not (Path(folder) / "died").exists():
        while not (Path(folder) / "starts").exists():
            time.sleep(0.05)
        (Path(folder) / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / "back").touch()


def test_a_death_does_not_end_the_other_jobs(tmp_path: Path) -> None:
    jobs = [
        Job("a", note_and_wait, (str(tmp_path),)),
        Job("b", die_and_come_back, (str(tmp_path),)),
    ]
    run(jobs, TWO, tmp_path)
    assert len((tmp_path / "starts").read_text().splitlines()) == 1


def out_of_memory(context: JobContext) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("machine", [ONE, TWO], ids=["inline", "pool"])
def test_memory_that_is_refused_is_one_line(machine: Machine, tmp_path: Path) -> None:
    jobs = [Job("big", out_of_memory, ()), Job("fine", double, (1,))]
    with pytest.raises(ResourceError, match=r"big: out of memory on cpu: .*") as caught:
        run(jobs, machine, tmp_path)
    assert "Traceback" not in str(caught.value)


def stop_and_fail(context: JobContext) -> None:
    os.kill(os.getppid(), signal.SIGTERM)
    while not context.stop:
        time.sleep(0.02)
    raise DataError("bad image x7")


def die_when_told(context: JobContext) -> None:
    while not context.stop:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_stop_hides_nothing_else(tmp_path: Path) -> None:
    jobs = [Job("bad", stop_and_fail, ()), Job("gone", die_when_told, ())]
    with pytest.raises(InterruptedRunError) as caught:
        run(jobs, TWO, tmp_path)
    assert caught.value.exit_code == 143
    assert "bad image x7" in str(caught.value) and "gone: its worker died" in str(caught.value)
    assert run([Job(f"j{n}", double, (n,)) for n in range(2)], TWO, tmp_path) == {"j0": 0, "j1": 2}


IGNORES = """
def ignore(marker, context):
    import time
    from pathlib import Path
    Path(marker).touch()
    time.sleep(600)
"""


def _program(folder: Path, text: str) -> subprocess.Popen[bytes]:
    script = folder / "program.py"
    script.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(folder), "2"]
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _both_run(folder: Path) -> None:
    wait_until(lambda: (folder / "a").exists() and (folder / "b").exists())


def test_ctrl_c_of_a_terminal_reaches_everybody_and_saves_all(tmp_path: Path) -> None:
    process = _program(tmp_path, PROGRAM)
    _both_run(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert (tmp_path / "a.saved").exists() and (tmp_path / "b.saved").exists()


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    text = PROGRAM.replace("from tests.execution.test_executor import wait_for_stop", IGNORES)
    process = _program(tmp_path, text.replace("wait_for_stop", "ignore"))
    _both_run(tmp_path)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 143
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_processes_that_are_not_its_jobs_are_told_nothing(tmp_path: Path) -> None:
    text = PROGRAM.replace(
        "    folder = Path(sys.argv[1])",
        "    import subprocess\n    folder = Path(sys.argv[1])\n"
        "    other = subprocess.Popen(['sleep', '60'])\n"
        "    (folder / 'other').write_text(str(other.pid))",
    )
    process = _program(tmp_path, text)
    _both_run(tmp_path)
    other = psutil.Process(int((tmp_path / "other").read_text()))
    try:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
        assert other.is_running() and other.status() != psutil.STATUS_ZOMBIE
    finally:
        other.kill()


def _threads(context: JobContext) -> tuple[int, int]:
    import torch

    return torch.get_num_threads(), context.cores


@pytest.mark.parametrize("slots", [1, 2])
def test_a_job_computes_with_its_cores_unless_the_environment_says_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    """In this process and in others: threads that spin beside each other slow all of them."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    machine, jobs = Machine(("cpu",) * slots, cores=6), [Job(f"{n}", _threads, ()) for n in "ab"]
    try:
        values = run_jobs("t", jobs[:slots], machine, Workspace("x", tmp_path), SilentReporter())
    finally:
        torch.set_num_threads(before)
    assert set(values.values()) == {(1, 6 // slots)}
