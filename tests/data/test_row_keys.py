"""What tables of run lengths call samples and classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config import MaskTable
from pipeline.data.groups import groups_of
from pipeline.data.row_keys import listed_keys, named, stripped, table_key
from tests.helpers.data_folders import config, write


def table(**keys: Any) -> MaskTable:
    return MaskTable.model_validate({"csv": "t.csv", **keys})


def test_keys_name_id_and_class() -> None:
    assert table_key(table(key="{id}.jpg_{class}"), "a_b", "Fish") == ("a_b.jpg_Fish", "")
    assert table_key(table(key="{id}.jpg", **{"class": "Label"}), "a", "Fish") == ("a.jpg", "Fish")
    assert table_key(table(), "a", "Fish") == ("a", "")


def test_an_id_called_like_a_placeholder_is_an_id() -> None:
    assert table_key(table(), "{class}", "Fish") == ("{class}", "")
    assert table_key(table(key="{class}/{id}"), "{class}", "{id}") == ("{id}/{class}", "")


def test_blanks_and_the_form_of_accents_do_not_count() -> None:
    assert stripped((" caf\u00e9", "a ")) == stripped(("cafe\u0301", "a"))


def test_groups_are_matched_the_same_way(tmp_path: Path) -> None:
    write(tmp_path / "g.csv", "id,group\n caf\u00e9,1\n")
    data = config(tmp_path, group={"csv": "g.csv"})
    assert groups_of(["cafe\u0301"], data) == {"cafe\u0301": "1"}


def test_keys_in_messages_show_their_blanks() -> None:
    assert named((" a", "")) == "' a'"
    assert named(("a", "x y")) == "'a' of class 'x y'"
    assert listed_keys([("a", "x"), (" b", "x y")]) == "a of class x, ' b' of class 'x y'"
