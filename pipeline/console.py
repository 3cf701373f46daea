"""Shows a stage's words, tables and progress on the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pipeline.reporting import Advance, running_jobs

POLL_S = 0.5


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.3g}/s" if speed else "")


class ConsoleReporter:
    """A Reporter on a rich console; warnings and errors go to standard error."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._error = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self._out.print(text, markup=False)

    def warn(self, text: str) -> None:
        self._error.print(f"warning: {text}", style="yellow", markup=False)

    def fail(self, text: str) -> None:
        """Say why the command stops."""
        self._error.print(f"error: {text}", style="red", markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        # a terminal that is too narrow wraps lines, which reads better than cut cells
        wide = Console(width=1000)
        natural = wide.measure(table).maximum
        Console(highlight=False, width=max(natural, self._out.width)).print(table, soft_wrap=True)

    @contextmanager
    def track(self, title: str, total: int) -> Iterator[Advance]:
        with self._bars() as bars:
            task = bars.add_task(title, total=total)
            yield lambda count: bars.advance(task, count)

    @contextmanager
    def watch(self, title: str, folder: Path, total: int) -> Iterator[Advance]:
        with self._bars() as bars:
            whole = bars.add_task(f"{title}: jobs", total=total)
            over = threading.Event()
            watcher = threading.Thread(target=_follow, args=(bars, folder, over), daemon=True)
            watcher.start()
            try:
                yield lambda count: bars.advance(whole, count)
            finally:
                over.set()
                watcher.join()

    def _bars(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._out,
            transient=True,
        )


def _follow(bars: Progress, folder: Path, over: threading.Event) -> None:
    """Keep a bar for each job that reports into `folder`, until `over`."""
    tasks: dict[str, TaskID] = {}
    while not over.wait(POLL_S):
        states = {state.name: state for state in running_jobs(folder)}
        for name in [name for name in tasks if name not in states]:
            bars.remove_task(tasks.pop(name))
        for name, state in states.items():
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=None)
            bars.update(
                tasks[name],
                description=f"  {name} {state.note}".rstrip(),
                completed=state.done,
                total=state.total or None,
            )
