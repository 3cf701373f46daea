"""The peak of the private memory of a process: what is not backed by files."""

from __future__ import annotations

import threading
import time

import psutil


class Peak:
    """Samples the private memory of this process while it is open."""

    def __enter__(self) -> Peak:
        self._bytes, self._over = _private_bytes(), threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self._bytes = max(self._bytes, _private_bytes())
            time.sleep(0.02)

    @property
    def mebibytes(self) -> float:
        return self._bytes / 2**20


def _private_bytes() -> int:
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)
