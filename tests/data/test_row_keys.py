"""What tables of run lengths call samples and classes."""

from __future__ import annotations

from typing import Any

from pipeline.config import MaskTable
from pipeline.data.row_keys import listed_keys, named, table_key


def table(**keys: Any) -> MaskTable:
    return MaskTable.model_validate({"csv": "t.csv", **keys})


def test_keys_name_id_and_class() -> None:
    assert table_key(table(key="{id}.jpg_{class}"), "a_b", "Fish") == ("a_b.jpg_Fish", "")
    assert table_key(table(key="{id}.jpg", **{"class": "Label"}), "a", "Fish") == ("a.jpg", "Fish")
    assert table_key(table(), "a", "Fish") == ("a", "")


def test_an_id_called_like_a_placeholder_is_an_id() -> None:
    assert table_key(table(), "{class}", "Fish") == ("{class}", "")
    assert table_key(table(key="{class}/{id}"), "{class}", "{id}") == ("{id}/{class}", "")


def test_keys_in_messages_show_their_blanks() -> None:
    assert named((" a", "")) == "' a'"
    assert named(("a", "x y")) == "'a' of class 'x y'"
    assert listed_keys([("a", "x"), (" b", "x y")]) == "a of class x, ' b' of class 'x y'"
