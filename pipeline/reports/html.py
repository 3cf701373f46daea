"""One HTML file that holds a whole report: no network, no scripts, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from jinja2 import Environment, StrictUndefined

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class Headline:
    """The main score of the page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under named columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    emphasised: int | None = None
    """The row that stands out (negative: from the end)."""
    shades: Sequence[Sequence[float]] = ()
    """How strongly each cell is coloured, 0..1; none for a plain table."""

    def is_emphasised(self, row: int) -> bool:
        return self.emphasised is not None and row == self.emphasised % len(self.rows)

    def shade(self, row: int, column: int) -> int:
        """Percent of the page's accent."""
        return round(60 * self.shades[row][column]) if self.shades else 0


@dataclass(frozen=True)
class Picture:
    """An image or a figure as a data URI, and what it shows."""

    uri: str
    caption: str = ""


@dataclass(frozen=True)
class Case:
    """One image of the data: its pictures side by side."""

    id: str
    score: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Folded:
    """A part that is shown when its title is clicked: figures, or preformatted text."""

    title: str
    figures: Sequence[Picture] = ()
    text: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page: text (a plain str is escaped, `markupsafe.Markup` goes in as it is)."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: Sequence[Picture] = ()
    legends: Mapping[str, Sequence[tuple[str, tuple[int, int, int]]]] = field(default_factory=dict)
    """By what it is for: what a colour (RGB, 0..255) means."""
    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    """By heading; a heading without any is left out."""
    folded: Sequence[Folded] = ()


@dataclass(frozen=True)
class Report:
    """The content of a page; empty parts are left out."""

    name: str
    headline: Headline
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = ()


def render_report(report: Report) -> str:
    """The page as HTML text; every string of the report is escaped."""
    source = resources.files("pipeline.reports").joinpath(TEMPLATE).read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(report=report)
