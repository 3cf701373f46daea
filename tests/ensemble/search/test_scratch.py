"""The temporary file that large arrays are appended to."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from pipeline.ensemble.search.scratch import Spool
from pipeline.errors import ResourceError
from tests.helpers.small_stores import forked


def test_what_is_appended_comes_back_in_order_and_leaves_no_file(tmp_path):
    spool = Spool(tmp_path)
    spool.append(np.arange(6, dtype=np.uint16).reshape(2, 3)[:, ::-1])
    spool.append(np.empty((3, 0), np.uint16))
    spool.append(np.array([9], np.uint16))
    values = spool.finish(np.uint16)
    assert values.tolist() == [2, 1, 0, 5, 4, 3, 9]
    assert not list(tmp_path.iterdir())
    assert not values.flags.writeable


def test_nothing_appended_is_an_empty_array(tmp_path):
    assert Spool(tmp_path).finish(np.uint8).shape == (0,)


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path):
    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**12, resource.RLIM_INFINITY))
        with pytest.raises(ResourceError, match=str(tmp_path)):
            Spool(tmp_path).append(np.zeros(2**13, np.uint8))

    process = forked(work)
    process.join()
    assert process.exitcode == 0
