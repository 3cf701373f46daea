from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.atomic_files import file_checksum, write_atomic
from pipeline.config import FoldsConfig
from pipeline.errors import ArtefactError
from pipeline.manifests import (
    damaged_files,
    fingerprint,
    fingerprints_with,
    is_as_written,
    is_fresh,
    lost_files,
    read_manifest,
    verified,
    verified_files,
    write_manifest,
)


def test_fingerprints_tell_values_apart_and_ignore_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint("1") != fingerprint(1)
    assert fingerprint(["ab"]) != fingerprint(["a", "b"])
    assert fingerprint(FoldsConfig(count=3)) != fingerprint(FoldsConfig(count=4))
    assert fingerprint(Path("x")) == fingerprint("x")


def test_an_artefact_is_fresh_only_with_its_own_fingerprint(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    assert not is_fresh(manifest, "f")
    write_manifest(manifest, "f", best=3)
    assert is_fresh(manifest, "f")
    assert not is_fresh(manifest, "g")
    assert read_manifest(manifest) == {"fingerprint": "f", "files": {}, "best": 3}


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """The manifest of an artefact of two files."""
    write_atomic(tmp_path / "table.csv", "id\n")
    write_atomic(tmp_path / "below" / "page.html", "<p>")
    files = [tmp_path / "table.csv", tmp_path / "below" / "page.html"]
    write_manifest(tmp_path / "manifest.json", "f", files)
    return tmp_path / "manifest.json"


@pytest.mark.parametrize("name", ["table.csv", "below/page.html"])
def test_an_artefact_that_lacks_a_file_is_not_fresh(artefact: Path, name: str) -> None:
    path = artefact.parent / name
    assert is_fresh(artefact, "f") and lost_files(artefact) == []
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_fresh(artefact, "f") and lost_files(artefact) == [path]
    path.unlink()
    assert not is_fresh(artefact, "f") and lost_files(artefact) == [path]


def test_a_changed_byte_is_found_where_it_is_asked_for(artefact: Path) -> None:
    path = artefact.parent / "table.csv"
    assert is_as_written(path, artefact)
    assert path in verified_files(artefact, "make it again")
    path.write_text("ID\n")
    assert not is_fresh(artefact, "f")
    assert not is_as_written(path, artefact)
    with pytest.raises(ArtefactError, match=r"table\.csv is damaged.*make it again"):
        verified_files(artefact, "make it again")


@pytest.mark.parametrize("named", ["3", '{"a": "b"}', '{"a": {"bytes": 1}}', "null"])
def test_a_manifest_that_names_its_files_otherwise_is_not_fresh(tmp_path: Path, named: str) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(f'{{"fingerprint": "f", "files": {named}}}')
    assert not is_fresh(manifest, "f")
    with pytest.raises(ArtefactError, match=r"manifest\.json.*delete it"):
        verified_files(manifest, "")


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "\x00"])
def test_a_broken_manifest_counts_as_none(tmp_path: Path, content: str) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    assert read_manifest(manifest) is None


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(100))
    checksum = file_checksum(path)
    assert verified(path, checksum, "train again") == path
    path.write_bytes(bytes(50) + b"\x01" + bytes(49))
    with pytest.raises(ArtefactError, match=r"damaged.*train again"):
        verified(path, checksum, "train again")
    path.unlink()
    with pytest.raises(ArtefactError, match="missing"):
        verified(path, checksum, "train again")


@pytest.mark.parametrize("damage", ["value", "key gone", "key more", "list", "nested", "folder"])
def test_a_manifest_that_was_altered_is_none(artefact: Path, damage: str) -> None:
    content = json.loads(artefact.read_text())
    if damage == "value":
        content["fingerprint"] += "0"
    elif damage == "key gone":
        del content["files"]
    elif damage == "key more":
        content["weights"] = "ema"
    artefact.write_text(json.dumps(content))
    if damage == "list":
        artefact.write_text("[]")
    elif damage == "nested":
        artefact.write_text("[" * 100_000)
    elif damage == "folder":
        artefact.unlink()
        artefact.mkdir()
    assert read_manifest(artefact) is None
    assert not is_fresh(artefact, "f") and lost_files(artefact) == [artefact]


@pytest.mark.parametrize("seen", ["size", "checksum"])
def test_damaged_files_are_put_aside(artefact: Path, seen: str) -> None:
    path = artefact.parent / "table.csv"
    path.write_text("id\n\n" if seen == "size" else "ID\n")
    assert damaged_files(artefact) == [path]
    assert not path.exists() and path.with_name("table.csv.damaged").exists()
    assert not is_fresh(artefact, "f")


@given(st.text(st.characters()), st.lists(st.text() | st.none(), min_size=1))
def test_fingerprints_of_many_firsts_are_those_of_each(first: str, rest: list[str | None]) -> None:
    assert fingerprints_with(rest, 3)(first) == fingerprint(first, rest, 3)
