"""Trackers that write what they are told into a file, raise, or sleep for ever."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.tracking.tracker import TrackedRun


class Records:
    """Appends every call to `calls.jsonl` in its folder."""

    def start(self, run: TrackedRun) -> None:
        self._run = run
        self._write("start", run.step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._write("log", step, dict(values))

    def finish(self) -> None:
        self._write("finish")

    def _write(self, *words: object) -> None:
        with (self._run.folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps([self._run.name, *words]) + "\n")


class Raises(Records):
    """Takes one row and no second."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if step > 1:
            raise RuntimeError("the tracker's server is gone\nand more")
        super().log(step, values)


class Exits(Records):
    def start(self, run: TrackedRun) -> None:
        raise SystemExit("not logged in")


class Sleeps(Records):
    """Never comes back, and prints a lot before."""

    def start(self, run: TrackedRun) -> None:
        sys.stdout.write("noise" * 100_000)
        time.sleep(3600)


class SleepsAtTheEnd(Records):
    def finish(self) -> None:
        time.sleep(3600)


def calls(folder: Path) -> list[list[object]]:
    """What a `Records` was told, in order."""
    path = folder / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
