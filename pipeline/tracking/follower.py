"""The process that feeds trackers, one a `make`: `python -m pipeline.tracking.follower <orders>`.

Each tracker has a thread of its own: one that raises or hangs holds back no other. The process
ends when its parent says so (after what is written by then is logged, or the grace is over), and
at once when its parent is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from pipeline.interruption import die_with
from pipeline.member_id import MemberId
from pipeline.tracking.feeder import Feeder
from pipeline.tracking.sources import MemberSource, RowSource, ScorecardSource
from pipeline.tracking.tracker import Tracker
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Orders:
    """The orders of the parent. adapters: by tracker, `module:class`; settings: by model; members:
    (model, fold, seed).
    """

    experiment: str
    root: str
    adapters: dict[str, str]
    metric: str
    settings: dict[str, dict[str, str]]
    members: list[tuple[str, int, int]]
    poll_s: float = 2.0

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.experiment, Path(self.root))

    def sources(self) -> list[RowSource]:
        members = [
            MemberSource(
                each.name, self.workspace.member(each), self.metric, self.settings[each.model]
            )
            for each in (MemberId(*member) for member in self.members)
        ]
        return [*members, ScorecardSource(self.workspace.scorecard("csv"))]


def main() -> None:
    """Follow until the parent writes `end <seconds of grace>`."""
    die_with(os.getppid())
    os.nice(10)  # the stages come first
    orders = Orders(**json.loads(sys.argv[1]))
    words = _words_apart(orders.workspace.tracking)
    ending = threading.Event()
    threads = {
        name: _begin(name, adapter, orders, ending, words)
        for name, adapter in orders.adapters.items()
    }
    end = sys.stdin.readline().split()
    if end[:1] == ["end"]:
        ending.set()
        _wait(threads, float(end[1]), words)
    os._exit(0)  # a tracker that hangs must not hold up the exit


def _words_apart(folder: Path) -> TextIO:
    """Messages to the parent; output of trackers goes into a log file instead."""
    words = os.fdopen(os.dup(1), "w", encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    return words


def _begin(
    name: str, adapter: str, orders: Orders, ending: threading.Event, words: TextIO
) -> threading.Thread:
    def work() -> None:
        try:
            feeder = Feeder(
                _maker(adapter),
                orders.experiment,
                orders.workspace.tracking / name,
                orders.sources(),
            )
            feeder.run(ending, orders.poll_s)
        except BaseException as error:
            lines = str(error).strip().splitlines() or ["no reason given"]
            _say(words, f"{name} stopped: {type(error).__name__}: {lines[0][:300]}")

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _maker(adapter: str) -> Callable[[], Tracker]:
    module, _, name = adapter.partition(":")
    maker: Callable[[], Any] = getattr(import_module(module), name)
    return maker


def _wait(threads: dict[str, threading.Thread], grace_s: float, words: TextIO) -> None:
    deadline = time.monotonic() + grace_s
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    slow = [name for name, thread in threads.items() if thread.is_alive()]
    if slow:
        _say(words, f"{', '.join(slow)}: not done {grace_s:g} s after the stages; stopped")


def _say(words: TextIO, text: str) -> None:
    words.write(f"{text}\n")
    words.flush()


if __name__ == "__main__":
    main()
