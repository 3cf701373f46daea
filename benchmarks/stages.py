"""Seconds of each stage on the demo, from nothing, and of a second run that finds all done.

python -m benchmarks.stages
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = ("demo", "check", "folds", "train", "infer", "ensemble", "submit", "scorecard", "all")
REPOSITORY = Path(__file__).parents[1]


def main() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    config = str(REPOSITORY / "configs" / "demo.yaml")
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for stage in STAGES:
            started = time.perf_counter()
            command = [sys.executable, "-m", "pipeline", stage, "--config", config]
            subprocess.run(
                command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
            )
            seconds[stage] = time.perf_counter() - started
    again = seconds.pop("all")
    for stage, each in seconds.items():
        print(f"{stage:10s} {each:6.1f} s")
    print(f"sum        {sum(seconds.values()):6.1f} s; a second run {again:.1f} s")


if __name__ == "__main__":
    main()
