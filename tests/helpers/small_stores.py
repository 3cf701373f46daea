"""Small stores of maps that depend on nothing but their id, and ways to end a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.maps import MapShape, MapStore

CLASSES = ["car", "bike"]
IDS = ["a", "../b", "é/ü", 'with "quotes", and comma', "line\nbreak\r", "001", "NA", "x\udcff"]
PACKAGE = str(Path(__file__).parents[2] / "pipeline") + os.sep


def shapes(ids: list[str]) -> list[MapShape]:
    """Hardly two alike."""
    return [MapShape(id, 11 + 3 * i, 40 - 2 * i) for i, id in enumerate(ids)]


def soft_map(shape: MapShape, salt: str = "") -> NDArray[np.float32]:
    seed = zlib.crc32((shape.id + salt).encode("utf-8", "surrogateescape"))
    size = (len(CLASSES), shape.height, shape.width)
    return np.random.default_rng(seed).random(size, dtype=np.float32)


def create(folder: Path, ids: list[str] = IDS, **options: Any) -> MapStore:
    return MapStore.create(folder, shapes(ids), CLASSES, **{"fingerprint": "f1", **options})


def fill(store: MapStore, ids: list[str] = IDS, batch: int = 3) -> None:
    """Write what is pending, batch by batch, as the predictor does."""
    by_id = {shape.id: shape for shape in shapes(ids)}
    pending = store.pending()
    for start in range(0, len(pending), batch):
        store.write({id: soft_map(by_id[id]) for id in pending[start : start + batch]})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a store that has bytes."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return {name: data for name, data in files.items() if data}


def forked(work: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    """A process of its own that does the work, started."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def on_each_line(react: Callable[[], None]) -> None:
    """From here on, call `react` before each line of the package that this process runs."""

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            react()
        return trace

    sys.settrace(trace)


def count_lines(work: Callable[[], object]) -> int:
    lines: list[None] = []
    on_each_line(lambda: lines.append(None))
    try:
        work()
    finally:
        sys.settrace(None)
    return len(lines)


def kill_at_line(number: int) -> None:
    """From here on, this process dies of SIGKILL at its n-th line of the package, or half-way
    through the `pwrite` on that line.
    """
    left = number
    whole_write = os.pwrite

    def torn_write(descriptor: int, data: memoryview, offset: int) -> int:
        if left == 0:
            whole_write(descriptor, data[: len(data) // 2], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        return whole_write(descriptor, data, offset)

    def count_down() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    os.pwrite = torn_write  # type: ignore[assignment]
    on_each_line(count_down)
