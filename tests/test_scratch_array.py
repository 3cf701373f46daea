"""Arrays in nameless files: zeros at first, gone afterwards, refused where they have no room."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ResourceError
from pipeline.scratch_array import scratch_array
from tests.helpers.disks import small_disk


def test_an_array_is_zeros_and_leaves_no_file(tmp_path: Path) -> None:
    array = scratch_array(tmp_path, (2, 3, 5), np.uint32)
    assert array.shape == (2, 3, 5) and array.dtype == np.uint32 and not array.any()
    array[1, :2] += 7
    assert array.sum() == 70 and not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_with_the_bytes_needed(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "1m") as disk,
        pytest.raises(ResourceError, match=re.escape("needs 4,000,000 bytes")),
    ):
        scratch_array(disk, (1000, 1000), np.uint32)
