"""Kills one experiment's stages again and again: `python -m tests.helpers.killing KILLS SEED`.

This process imports everything once and runs nothing, so that a fork of it is warm and sound (a
process whose threads have computed must not fork). A fork makes all stages of `discs.yaml` in its
folder: in `whole` one that nobody disturbs; in `killed` each is killed, with all its children, at a
random moment; one that is faster has its submission and some of its artefacts removed, so that the
next has work. The last one is let run. Prints how many were killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pipeline import cli
from pipeline.stage_names import ORDER

REDONE = ["runs/discs/a/maps", "runs/discs/b/fold1", "runs/discs/ensemble.json", "submissions",
          "runs/discs/a/fold0", "runs/discs/index.json", "runs/discs"]  # fmt: skip
LONGEST_S = 4.0


def _make() -> int:
    """The process id of a fork that makes everything."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        with Path("log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os._exit(cli.main(["all", "--config", "discs.yaml", "--jobs", "1"]))
    with suppress(OSError):  # whoever is first: a kill may come before the fork has run at all
        os.setpgid(pid, pid)
    return pid


def _is_over(pid: int, seconds: float) -> int | None:
    """Its exit status, or None if it still runs after that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    return None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main(kills: int, seed: int) -> None:
    for stage in ORDER:
        import_module(f"pipeline.stages.{stage}")
    os.chdir("whole")
    assert os.waitpid(_make(), 0)[1] == 0, Path("log").read_text()
    os.chdir("../killed")
    chance, killed = random.Random(seed), 0
    while killed < kills:
        pid = _make()
        status = _is_over(pid, chance.uniform(0.0, LONGEST_S))
        if status is None:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            killed += 1
            Path("kills").write_text(f"{killed}\n")
            continue
        assert status == 0, Path("log").read_text()
        _remove(Path(chance.choice(REDONE)))
    assert os.waitpid(_make(), 0)[1] == 0, Path("log").read_text()
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
