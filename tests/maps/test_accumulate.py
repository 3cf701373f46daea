"""Sums straight into one store: exact, in any order, each member once, whatever is killed."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ArtefactError
from pipeline.maps import MapStore
from pipeline.maps.accumulate import Accumulator, SourceDtype
from pipeline.maps.quantise import LARGEST_STORED, Stored, quantise
from tests.helpers.small_stores import (
    CLASSES,
    IDS,
    contents,
    count_lines,
    forked,
    kill_at_line,
    shapes,
    soft_map,
)

WEIGHTS = {"unet/0": 32768, "unet/1": 13107, "fpn/0": 19661}
DTYPES: list[SourceDtype] = ["uint8", "uint16"]
BY_ID = {shape.id: shape for shape in shapes(IDS)}


def create(
    folder: Path, weights: dict[str, int] = WEIGHTS, ids: list[str] = IDS, **options: str
) -> Accumulator:
    options = {"fingerprint": "f1", **options}
    return Accumulator.create(folder, shapes(ids), CLASSES, weights, **options)  # type: ignore[arg-type]


def member_map(id: str, member: str, dtype: SourceDtype = "uint8") -> Stored:
    return quantise(soft_map(BY_ID[id], salt=member), dtype)


def fill(sums: Accumulator, members: list[str], dtype: SourceDtype = "uint8") -> None:
    """Pass after pass of one member over its pending images, until nothing is pending."""
    for member in members:
        pending = sums.pending(member)
        for start in range(0, len(pending), 3):
            ids = pending[start : start + 3]
            sums.add({id: {member: member_map(id, member, dtype)} for id in ids})


def exact_sum(id: str, dtype: SourceDtype) -> np.ndarray:
    """The definition, in whole numbers of any size."""
    return sum(member_map(id, name, dtype).astype(object) * WEIGHTS[name] for name in WEIGHTS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sum_is_exact(tmp_path: Path, dtype: SourceDtype) -> None:
    fill(create(tmp_path, dtype=dtype), list(WEIGHTS), dtype)
    sums = Accumulator.open(tmp_path)
    assert sums.is_complete
    for id in IDS:
        assert np.array_equal(sums.read_sums(id), exact_sum(id, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_ones_everywhere_neither_overflow_nor_fall_short(
    tmp_path: Path, dtype: SourceDtype
) -> None:
    sums = create(tmp_path, dtype=dtype)
    ones = np.full((2, 11, 40), LARGEST_STORED[dtype], dtype)
    sums.add({"a": dict.fromkeys(WEIGHTS, ones)})
    assert (sums.read_sums("a") == LARGEST_STORED[dtype] * 2**16).all()


def test_order_and_passes_do_not_matter(tmp_path: Path) -> None:
    fill(create(tmp_path / "a"), list(WEIGHTS))
    fill(create(tmp_path / "b", dict(reversed(WEIGHTS.items()))), list(WEIGHTS)[::-1])
    together = create(tmp_path / "c")
    for id in reversed(IDS):
        together.add({id: {member: member_map(id, member) for member in WEIGHTS}})
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


def test_no_member_counts_twice(tmp_path: Path) -> None:
    sums = create(tmp_path)
    fill(sums, ["unet/0"])
    before = contents(tmp_path)
    assert create(tmp_path).pending("unet/0") == []
    with pytest.raises(ArtefactError, match="unet/0 is in the sum of 'NA' already"):
        sums.add({"NA": {"unet/0": member_map("NA", "unet/0")}})
    assert contents(tmp_path) == before


def test_a_sum_lacks_nobody(tmp_path: Path) -> None:
    sums = create(tmp_path)
    fill(sums, ["unet/1"])
    assert not sums.is_complete
    with pytest.raises(ArtefactError, match="fpn/0, unet/0 not in the sum of 'a'"):
        sums.read_sums("a")


@pytest.mark.parametrize("step", [73, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_at_any_line(fast_folder: Path, step: int) -> None:
    members, few = list(WEIGHTS)[:2], IDS[:4]
    lines = count_lines(lambda: fill(create(fast_folder / "whole", ids=few), members))
    for line in range(0, lines, step):
        folder = fast_folder / str(line)

        def run(folder: Path = folder, line: int = line) -> None:
            kill_at_line(line)
            fill(create(folder, ids=few), members)

        killed = forked(run)
        killed.join()
        assert killed.exitcode == -9
        fill(create(folder, ids=few), members)
        assert contents(folder) == contents(fast_folder / "whole"), f"killed at line {line}"


def flip_in_sum(folder: Path, row: int) -> None:
    sums = np.load(folder / "maps.npy", mmap_mode="r+")
    offset = sum(2 * shape.height * shape.width for shape in shapes(IDS)[:row])
    sums[offset + 7] ^= 1 << 20
    sums.flush()


def test_an_altered_sum_is_not_added_to(tmp_path: Path) -> None:
    sums = create(tmp_path)
    fill(sums, ["unet/0"])
    flip_in_sum(tmp_path, 2)
    with pytest.raises(ArtefactError, match=r"map 'é/ü' of .* is damaged"):
        fill(sums, ["unet/1"])
    assert [str(problem) for problem in sums.verify()] == ["é/ü: missing"], "to be made again"
    assert sums.pending("unet/0") == ["é/ü"]
    fill(sums, list(WEIGHTS))
    assert np.array_equal(sums.read_sums("é/ü"), exact_sum("é/ü", "uint8"))


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("filled", [["unet/0"], list(WEIGHTS)])
def test_who_is_in_a_sum_is_vouched_for(tmp_path: Path, bit: int, filled: list[str]) -> None:
    """A member that is said to be in, or out, and is not: neither half a sum nor one twice."""
    fill(create(tmp_path), list(WEIGHTS))
    whole = contents(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    fill(create(tmp_path), filled)
    table = np.load(tmp_path / "members.npy", mmap_mode="r+")
    table[1, 1] ^= 1 << bit
    table.flush()
    assert [str(problem) for problem in Accumulator.open(tmp_path).verify()] == ["../b: altered"]
    for _ in range(2):  # the first run may stop at it, and marks it
        with suppress(ArtefactError):
            fill(create(tmp_path), list(WEIGHTS))
            for each in IDS:
                create(tmp_path).read_sums(each)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("keep", [0, 100, 140])
def test_a_lost_table_of_members_starts_over(tmp_path: Path, keep: int) -> None:
    fill(create(tmp_path), list(WEIGHTS))
    whole = contents(tmp_path)
    (tmp_path / "members.npy").write_bytes(whole["members.npy"][:keep])
    with pytest.raises(ArtefactError, match=r"members.npy is missing or damaged"):
        Accumulator.open(tmp_path)
    assert create(tmp_path).pending("fpn/0") == IDS
    fill(create(tmp_path), list(WEIGHTS))
    assert contents(tmp_path) == whole


@pytest.mark.parametrize(
    ("weights", "fingerprint", "words"),
    [
        ({**WEIGHTS, "fpn/0": 4}, "f1", "weights is"),
        (WEIGHTS, "f2", "fingerprint is"),
    ],
)
def test_other_weights_never_mix(
    tmp_path: Path, weights: dict[str, int], fingerprint: str, words: str
) -> None:
    create(tmp_path)
    with pytest.raises(ArtefactError, match=words):
        create(tmp_path, weights, fingerprint=fingerprint)


def test_sums_and_maps_are_not_taken_for_each_other(tmp_path: Path) -> None:
    create(tmp_path / "sums")
    MapStore.create(tmp_path / "maps", shapes(IDS), CLASSES, fingerprint="f1")
    with pytest.raises(ArtefactError, match="weighted sum"):
        MapStore.open(tmp_path / "sums")
    with pytest.raises(ArtefactError, match="probability"):
        Accumulator.open(tmp_path / "maps")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"'a' by unet/0 is \(2, 40, 11\).*\(2, 11, 40\)"):
        create(tmp_path).add({"a": {"unet/0": np.zeros((2, 40, 11), np.uint8)}})


def test_claims_are_by_image(tmp_path: Path) -> None:
    first, second = create(tmp_path), create(tmp_path)
    with first.claim(IDS[:2]):
        for id, member in product(IDS[2:4], WEIGHTS):
            second.add({id: {member: member_map(id, member)}})
        with pytest.raises(ArtefactError, match="is being written by process"):
            second.add({"a": {"unet/0": member_map("a", "unet/0")}})
