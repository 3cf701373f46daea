"""YAML is untrusted text: it runs nothing, hides nothing and cannot blow up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.reading import parse_yaml, read_yaml
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.mkdir ['{folder}']",
        "a: !!python/object/new:os.mkdir ['{folder}']",
        "!!python/object/apply:pathlib.Path.mkdir {{args: ['{folder}']}}",
        "a: !!python/name:os.system",
        "a: !!python/module:os",
    ],
)
def test_tags_run_no_code(text: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        parse_yaml(text.format(folder=made), "x.yaml")
    assert not made.exists()


@pytest.mark.parametrize(
    ("text", "value"), [("010", 8), ("-017", -15), ("1:30", 90), ("0_7", 7), ("1:30.5", 90.5)]
)
def test_numbers_of_another_base_are_refused(text: str, value: float) -> None:
    """YAML 1.1 reads them so; people mean decimals, ids or times."""
    with pytest.raises(ConfigError, match=f"line 1.*YAML reads {text} as {value}; write '{text}'"):
        parse_yaml(f"a: {text}", "x.yaml")
    same = ("0", "10", "0x10", "1_000", "0.5", "1e-3", "'010'", "08")
    parse_yaml("\n".join(f"k{each[-1]}{len(each)}: {each}" for each in same), "x.yaml")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a: 1\na: 2", "a"),
        ("train: {lr: 1, batch: 2, lr: 3}", "lr"),
        ("models:\n  a: {}\n  b: {}\n  a: {}", "a"),
        ("1: x\n1: y", "1"),
        ("a: 1\n'a': 2", "a"),
    ],
)
def test_a_key_given_twice_is_named(text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"the key '{key}' is given twice"):
        parse_yaml(text, "x.yaml")


def test_merge_keys_are_no_duplicates() -> None:
    text = "base: &a {x: 1, y: 1}\ndeep: {b: &b {<<: *a, x: 2}}\nc: {<<: *b, y: 3}"
    parsed = parse_yaml(text, "x.yaml")
    assert parsed["deep"]["b"] == {"x": 2, "y": 1}
    assert parsed["c"] == {"x": 2, "y": 3}


@given(st.floats(1e-12, 1e12))
def test_every_way_to_write_a_number_is_one(number: float) -> None:
    for text in (f"{number:e}", f"{number:.0e}", f"{number!r}", f"-{number:.3E}"):
        parsed = parse_yaml(f"[{text}]", "x.yaml")[0]
        assert parsed == float(text)
        assert isinstance(parsed, float)


@pytest.mark.parametrize(
    "text", ["12e4", "6384c3e78", "0e1a", "e-4", "1e-4x", "1-2e-4", "1e-", "v1"]
)
def test_ids_that_look_a_little_like_numbers_stay_text(text: str) -> None:
    assert parse_yaml(text, "x.yaml") == text


@pytest.mark.parametrize(
    "text",
    [
        "a: 2024-13-45",
        "a: !!bool x",
        "a: !!int x",
        "a: 0b_",
        "a: !!timestamp x",
        "a: [1, 2",
        "a: b: c",
        "\t- a",
        "? {a: b}\n: c",
        "a: *unknown",
        "a: \x00",
        "{" * 3000,
        "[" * 3000 + "]" * 3000,
    ],
)
def test_nonsense_is_an_error_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.yaml cannot be read as YAML"):
        parse_yaml(text, "x.yaml")


@given(st.text(alphabet=":-[]{}&*!|>'\"%@`,?# \nab1.<=~", max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "x.yaml")
    except ConfigError as error:
        assert "x.yaml" in str(error)


def test_aliases_cannot_stand_for_billions() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    with pytest.raises(ConfigError, match="expand to too many values"):
        parse_yaml("a0: &a0 [x]\n" + "\n".join(levels), "x.yaml")


def test_an_alias_of_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="expand to too many values"):
        parse_yaml("train: &t {augment: *t}", "x.yaml")


@pytest.mark.parametrize("text", ["", "- a", "just words", "3", "# nothing"])
def test_a_file_without_a_mapping_is_no_experiment(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"x\.yaml is not an experiment"):
        read_yaml(path)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "carvana.yaml").write_text("name: x")
    with pytest.raises(ConfigError, match=r"no experiment .*carvanna\.yaml.*carvana\.yaml"):
        read_yaml(tmp_path / "carvanna.yaml")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\xfe\xfa")
    with pytest.raises(ConfigError, match=r"x\.yaml cannot be read"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)


def test_a_file_too_large_is_not_even_parsed(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    with path.open("wb") as stream:
        stream.truncate(10**9)
    with pytest.raises(ConfigError, match="too large for an experiment"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [b, c\nd: 1\n", r"line 2, column 2: .* bracket or a comma missing"),
        ("a:\n\tb: 1\n", r"line 2, column 1: .* spaces, not tabs"),
        ("a: b: c\n", r"line 1, column 5: .* colon not in quotes"),
        ("a: *b\n", r"line 1, column 4: .* begins with \* needs quotes"),
    ],
)
def test_where_yaml_is_broken_and_what_is_mostly_meant(text, told):
    with pytest.raises(ConfigError, match=f"x.yaml cannot be read as YAML: {told}") as caught:
        parse_yaml(text, "x.yaml")
    assert "unicode string" not in str(caught.value)
