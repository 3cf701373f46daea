"""What is free, what is taken, and when a stage may not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import disk_space
from pipeline.errors import ResourceError
from pipeline.maps.disk import make_sparse


def test_holes_of_sparse_files_take_nothing(tmp_path: Path) -> None:
    make_sparse(tmp_path / "sparse", 2**30)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "dense").write_bytes(bytes(100_000))
    taken = disk_space.allocated_bytes([tmp_path])
    assert 100_000 <= taken < 200_000
    assert disk_space.allocated_bytes([tmp_path / "not there"]) == 0


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert disk_space.free_bytes(tmp_path / "a" / "b") == pytest.approx(
        disk_space.free_bytes(tmp_path), rel=0.05
    )


def test_only_what_is_missing_must_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dense").write_bytes(bytes(2**20))
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 2**20)
    disk_space.check_room("infer", 2 * 2**20, [tmp_path], tmp_path, "")
    message = (
        r"infer will write [\d,]+ bytes \(1\.\d+ MB\) to .*, and 1,048,576 .*larger disk, or x"
    )
    with pytest.raises(ResourceError, match=message):
        disk_space.check_room("infer", 2 * 2**20 + 2**16, [tmp_path], tmp_path, ", or x")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (12_345_678, "12.3 MB"), (4e12, "4 TB")],
)
def test_sizes_as_people_say_them(size: float, text: str) -> None:
    assert disk_space.readable(size) == text
