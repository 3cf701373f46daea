from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from pipeline.reports.html import (
    Case,
    Folded,
    Headline,
    Picture,
    Report,
    Section,
    Table,
    render_report,
)

URI = "data:image/jpeg;base64,AAAA"
EVIL = "<script>alert('1')</script>\""
VOID_TAGS = {"meta", "img", "br", "link", "input"}

SCORECARD = Table(["model", "CV"], [["linknet34", "0.98"], ["ensemble", "0.99"]], emphasised=-1)
FULL = Report(
    name="carvana",
    headline=Headline("nested dice", "0.9909", "tuned 0.9912"),
    facts=[("images", "5,088")],
    sections=[
        Section("Scorecard", table=SCORECARD),
        Section(
            "Images",
            legends={"classes": [("car", (1, 2, 3))]},
            cases={
                "Worst": [
                    Case(each, "0.1", [Picture(URI, "image"), Picture(URI)]) for each in "uv"
                ],
                "Best": [],
            },
        ),
        Section("Alignment", "plain", Table(["a"], [["x"]]), [Picture(URI, "before")]),
        Section("Made", folded=[Folded("curves", [Picture(URI)]), Folded("yaml", text="a:\n  b")]),
    ],
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
    picture = Picture(URI, EVIL)
    section = Section(
        EVIL, EVIL, Table([EVIL], [[EVIL]]), [picture], {EVIL: [(EVIL, (0, 0, 0))]},
        {EVIL: [Case(EVIL, EVIL, [picture])]}, [Folded(EVIL, [picture], EVIL)],
    )  # fmt: skip
    return Report(EVIL, Headline(EVIL, EVIL, EVIL), [(EVIL, EVIL)], [section])


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
        "ensemble", "Worst", "car", "Alignment", "plain", "before", "curves", "a:\n  b",
    ):  # fmt: skip
        assert text in page.text, text
    assert "Best" not in page.text, "a heading without cases is left out"
    assert sum(tag == "img" for tag, _ in page.tags) == 6


def test_pictures_of_cases_can_be_enlarged_without_a_script() -> None:
    page = Page(render_report(FULL))
    boxes = [attributes for tag, attributes in page.tags if tag == "input"]
    assert [box["type"] for box in boxes] == ["checkbox"] * 4
    assert all(box["aria-label"] for box in boxes)


def test_cells_are_shaded_by_their_value() -> None:
    table = Table(["", "a", "b"], [["x", "1", "2"]], shades=[[0.0, 1.0, 0.25]])
    html = render_report(Report("s", Headline("d", "0"), sections=[Section("t", table=table)]))
    assert html.count("color-mix") == 2 and "60%" in html and "15%" in html


def test_every_string_is_escaped() -> None:
    html = render_report(evil_report())
    assert "<script" not in html
    assert Page(html).text.count(EVIL) == 23


def test_only_the_chosen_row_stands_out() -> None:
    html = render_report(FULL)
    assert html.count('<tr class="emphasised">') == 1
    assert html.index('<tr class="emphasised">') > html.index("linknet34")
    plain = Section("Scorecard", table=Table(["model"], [["a"]]))
    unmarked = replace(FULL, sections=[plain])
    assert '<tr class="emphasised">' not in render_report(unmarked)


def test_what_is_empty_is_left_out() -> None:
    page = Page(render_report(Report("small", Headline("dice", "0.5"))))
    assert not any(tag in ("section", "img", "dl", "table") for tag, _ in page.tags)


def test_sections_take_trusted_markup_as_it_is() -> None:
    report = Report("a", Headline("d", "0"), sections=[Section("t", Markup("<b>bold</b>"))])
    assert "<p><b>bold</b></p>" in render_report(report)


def test_same_report_gives_the_same_text() -> None:
    assert render_report(FULL) == render_report(FULL)
