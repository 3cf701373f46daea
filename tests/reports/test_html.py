from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from pipeline.reports.html import Case, Headline, Picture, Report, Section, Table, render_report
from pipeline.reports.overlay import OUTCOMES

URI = "data:image/jpeg;base64,AAAA"
EVIL = "<script>alert('1')</script>\""
VOID_TAGS = {"meta", "img", "br", "link"}

FULL = Report(
    name="carvana",
    headline=Headline("nested dice", "0.9909", "tuned 0.9912"),
    facts=[("images", "5,088")],
    scorecard=Table(["model", "CV"], [["linknet34", "0.98"], ["ensemble", "0.99"]], emphasised=-1),
    curves=Picture(URI, "One colour a model."),
    worst=[Case("w1", "0.1", URI), Case("w2", "0.2", URI)],
    best=[Case("b1", "0.9", URI)],
    folds=Picture(URI),
    sections=[Section("Alignment", "plain", Table(["a"], [["x"]]), [Picture(URI, "before")])],
)


class Page(HTMLParser):
    """What a page is made of; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def evil_report() -> Report:
    table = Table([EVIL], [[EVIL]])
    section = Section(EVIL, EVIL, table, [Picture(URI, EVIL)])
    cases = [Case(EVIL, EVIL, URI)]
    return Report(
        EVIL, Headline(EVIL, EVIL, EVIL), [(EVIL, EVIL)], table, Picture(URI, EVIL), cases, cases,
        Picture(URI, EVIL), [section],
    )  # fmt: skip


@pytest.mark.parametrize("report", [FULL, evil_report()])
def test_page_is_self_contained_and_well_formed(report: Report) -> None:
    html = render_report(report)
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "base"}
    for _, attributes in page.tags:
        for key in ("src", "href", "srcset"):
            assert (attributes.get(key) or "data:").startswith("data:")
    assert "http" not in html and "url(" not in html and "@import" not in html


def test_page_shows_everything_that_the_report_holds() -> None:
    page = Page(render_report(FULL))
    for text in (
        "carvana", "nested dice", "0.9909", "tuned 0.9912", "images", "5,088", "linknet34",
        "ensemble", "One colour a model.", "w1", "0.1", "b1", "0.9", "Alignment", "plain", "before",
        *(outcome.label for outcome in OUTCOMES),
    ):  # fmt: skip
        assert text in page.text, text
    assert sum(tag == "img" for tag, _ in page.tags) == 6
    assert page.text.index("w1") < page.text.index("w2") < page.text.index("b1")


def test_every_string_is_escaped() -> None:
    html = render_report(evil_report())
    assert "<script" not in html
    assert Page(html).text.count(EVIL) == 22


def test_only_the_chosen_row_stands_out() -> None:
    html = render_report(FULL)
    assert html.count('<tr class="emphasised">') == 1
    assert html.index('<tr class="emphasised">') > html.index("linknet34")
    unmarked = replace(FULL, scorecard=Table(["model"], [["a"]]))
    assert '<tr class="emphasised">' not in render_report(unmarked)


def test_what_is_empty_is_left_out() -> None:
    page = Page(render_report(Report("small", Headline("dice", "0.5"))))
    assert not any(tag in ("section", "img", "dl", "table") for tag, _ in page.tags)
    only_best = Page(render_report(Report("s", Headline("d", "0"), best=FULL.best)))
    assert "Best" in only_best.text and "Worst" not in only_best.text


def test_sections_take_trusted_markup_as_it_is() -> None:
    report = Report("a", Headline("d", "0"), sections=[Section("t", Markup("<b>bold</b>"))])
    assert "<p><b>bold</b></p>" in render_report(report)


def test_same_report_gives_the_same_text() -> None:
    assert render_report(FULL) == render_report(FULL)
