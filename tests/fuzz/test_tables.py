"""Tables of run lengths and of groups: a mutated CSV is read, or one DataError names it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.catalog import Sample
from pipeline.data.groups import groups_of
from pipeline.data.samples import SampleReader
from pipeline.errors import DataError
from tests.helpers.experiments import experiment
from tests.helpers.fuzz_rounds import Record, for_minutes, mutated, report, some

IDS = [f"a{number}" for number in range(6)]
SIZE = (10, 12)
ODD = [
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b";",
    b"\t",
    b" ",
    b"ImageId",
    b"=1+1",
    b"-1",
    b"1e3",
    "ä".encode(),
    b'""',
    b"9" * 40,
]


def tables(rounds: Iterator[np.random.Generator]) -> Counter[str]:
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = experiment(
            data={
                "root": str(root),
                "masks": {"csv": "m.csv"},
                "group": {"csv": "m.csv", "id": "ImageId", "group": "patient"},
            }
        ).data
        for random in rounds:
            (root / "m.csv").write_bytes(_mutation(_table(random), random))
            try:
                truths = [SampleReader(data).truth(Sample(x, root / x), SIZE) for x in IDS]
                assert all(truth.planes.shape == (1, *SIZE) for truth in truths)
                ends["masks read"] += 1
            except DataError as error:
                assert str(error)
                ends["masks refused"] += 1
            try:
                assert set(groups_of(IDS, data)) == set(IDS)
                ends["groups read"] += 1
            except DataError as error:
                assert "m.csv" in str(error)
                ends["groups refused"] += 1
    return ends


def _table(random: np.random.Generator) -> bytes:
    rows = [f"{x},{random.integers(1, 50)} {random.integers(1, 9)},p{x}" for x in IDS]
    return ("ImageId,EncodedPixels,patient\n" + "\n".join(rows) + "\n").encode()


def _mutation(data: bytes, random: np.random.Generator) -> bytes:
    if random.random() < 0.5:
        return mutated(data, random)
    place = int(random.integers(len(data) + 1))
    return data[:place] + ODD[random.integers(len(ODD))] + data[place:]


def test_tables(record_property: Record) -> None:
    ends = report(record_property, tables, some(80))
    assert ends["masks refused"] > 10 and ends["groups read"] > 10


@pytest.mark.slow
def test_tables_for_minutes(record_property: Record) -> None:
    report(record_property, tables, for_minutes())
