"""Members that do not fit together are refused, with both sides named."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ensemble.members import check_members, histogram_of, reader_of
from pipeline.errors import ArtefactError
from pipeline.maps.index import MapShape
from pipeline.maps.store import MapStore

IDS = ["b", "a", "c"]


def store(folder, ids=IDS, classes=("car", "dog"), dtype="uint8", size=(4, 5), done=None):
    made = MapStore.create(
        folder, [MapShape(id, *size) for id in ids], classes, fingerprint="f", dtype=dtype
    )
    rng = np.random.default_rng(len(folder.name))
    for id in ids if done is None else done:
        made.write({id: rng.random((len(classes), *size), np.float32)})
    return MapStore.open(folder)


def test_members_that_agree_are_read_by_id_whatever_their_order(tmp_path):
    members = {
        "first": store(tmp_path / "first"),
        "second": store(tmp_path / "second", ids=["c", "b", "a"]),
    }
    check_members(members, ["a", "b"])
    maps = reader_of(members)("b")
    assert [m.shape for m in maps] == [(2, 4, 5)] * 2
    assert (maps[1] == members["second"].read_raw("b")).all()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"classes": ("dog", "car")},
            r"classes: one has \['car', 'dog'\], two has \['dog', 'car'\]",
        ),
        ({"dtype": "uint16"}, "stored as: one has uint8, two has uint16"),
        ({"size": (5, 4)}, r"map of 'b': one has \(2, 4, 5\), two has \(2, 5, 4\)"),
        ({"ids": ["a", "c"]}, "two has no map of 1 of 3 images, e.g. 'b'"),
        ({"done": ["b", "a"]}, "two has no map of 1 of 3 images, e.g. 'c'"),
    ],
)
def test_members_that_differ_are_refused(tmp_path, other, message):
    members = {"one": store(tmp_path / "one"), "two": store(tmp_path / "two", **other)}
    with pytest.raises(ArtefactError, match=message):
        check_members(members, IDS)


def test_no_member_is_no_blend():
    with pytest.raises(ArtefactError, match="at least one"):
        check_members({}, IDS)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_a_histogram_counts_every_stored_number(tmp_path, dtype):
    member = store(tmp_path / "m", dtype=dtype)
    counts = histogram_of(member, ["a", "c"])
    assert counts.sum() == 2 * 2 * 4 * 5
    values = member.read_raw("a")
    assert counts[values.view(f"u{values.itemsize}").ravel()].min() >= 1
