"""Shows a stage's messages, tables and progress on the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
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

from pipeline.reporting import Advance, Milestones, running_jobs

POLL_S = 0.5
MOST_WIDTH = 10_000
"""Letters of a line in a file."""


CELL_PADDING = 3
"""Letters of a column besides its widest cell."""


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
        """Show a table: in a window as several below each other where it is too wide for one.

        Each of them begins with the first column. Files have no width, and get it in one piece.
        """
        whole = range(1, len(columns))
        parts = self._parts(columns, rows) if self._out.is_terminal else [whole]
        for number, part in enumerate(parts):
            chosen = [0, *part]
            table = _table(
                title if number == 0 else None,
                [columns[each] for each in chosen],
                [[row[each] for each in chosen] for row in rows],
                wraps=self._out.is_terminal,
            )
            width = self._out.width if self._out.is_terminal else _natural_width(table)
            console = Console(highlight=False, width=width)
            console.print(table, soft_wrap=not self._out.is_terminal)

    def _parts(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[int]]:
        """Which columns, but for the first, stand together in each of the tables."""
        lines = [columns, *rows]
        widths = [
            max(cell_len(line[each]) for line in lines) + CELL_PADDING
            for each in range(len(columns))
        ]
        room = self._out.width - widths[0]
        parts: list[list[int]] = [[]]
        for each in range(1, len(columns)):
            if parts[-1] and sum(widths[other] for other in [*parts[-1], each]) > room:
                parts.append([])
            parts[-1].append(each)
        return parts

    @contextmanager
    def track(self, title: str, total: int) -> Iterator[Advance]:
        with self._bars() as bars:
            task = bars.add_task(title, total=total)
            yield lambda count: bars.advance(task, count)

    @contextmanager
    def watch(self, title: str, folder: Path, total: int) -> Iterator[Advance]:
        if not self._out.is_terminal:
            with _beside(partial(_print_milestones, self.say, folder)):
                yield lambda count: None
            return
        with self._bars() as bars:
            whole = bars.add_task(f"{title}: jobs", total=total)
            with _beside(partial(_follow, bars, folder)):
                yield lambda count: bars.advance(whole, count)

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


def _table(
    title: str | None, columns: Sequence[str], rows: Sequence[Sequence[str]], *, wraps: bool
) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "left" if number == 0 else "right"
        table.add_column(Text(column), justify=justify, no_wrap=not wraps, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _natural_width(table: Table) -> int:
    return Console(width=MOST_WIDTH).measure(table).maximum


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread of its own, until the block is over and it has noticed."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _print_milestones(say: Callable[[str], None], folder: Path, over: threading.Event) -> None:
    """Print the milestones that jobs report; for log files."""
    milestones, is_over = Milestones(folder), False
    while not is_over:
        is_over = over.wait(POLL_S)  # the last milestones are printed after the end
        for text in milestones.new():
            say(text)


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
