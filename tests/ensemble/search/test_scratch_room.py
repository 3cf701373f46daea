"""The room that a search needs is told before it begins, and is about what it then takes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ensemble.search import sampling, scratch_room
from pipeline.ensemble.search.ground_truth_cache import keep_truths
from pipeline.ensemble.search.oof_pixels import disputed_bytes, gather
from pipeline.ensemble.search.scratch import Spool
from pipeline.ensemble.search.scratch_room import assumed_bytes, require_room, scratch_bytes
from pipeline.errors import ResourceError
from pipeline.metrics import get_metric
from tests.helpers import disks
from tests.helpers.synthetic_members import source

DICE, ACCURACY = get_metric("dice"), get_metric("pixel_accuracy")
CASES = [
    ({}, "search", DICE, False),
    ({"dtype": np.uint16, "classes": 2}, [0.5, 0.5], DICE, False),
    ({"classes": 3, "multiclass": True}, "search", DICE, False),
    ({"void": True}, "search", DICE, True),
    ({}, "search", ACCURACY, True),
]


@pytest.fixture
def written(monkeypatch):
    """The bytes that all temporary files were given."""
    sizes = []
    append = Spool.append

    def counted(self, values):
        sizes.append(values.nbytes)
        append(self, values)

    monkeypatch.setattr(Spool, "append", counted)
    return sizes


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize(("options", "thresholds", "metric", "truths"), CASES)
def test_the_forecast_is_about_what_is_written(
    options, thresholds, metric, truths, sampled, tmp_path, written, monkeypatch
):
    if sampled:
        monkeypatch.setattr(sampling, "FEWEST_PIXELS", 1)
        for module in (sampling, scratch_room):
            monkeypatch.setattr(module, "SEARCHED_VALUES", 1000)
            monkeypatch.setattr(module, "SAMPLED_VALUES", 5000)
    data = source(images=64, **options)
    forecast = scratch_bytes(data, metric, thresholds, truths=truths)
    assert not written
    gather(keep_truths(data, tmp_path) if truths else data, metric, tmp_path, thresholds)
    assert forecast == pytest.approx(sum(written), rel=0.25)


def test_what_is_counted_is_what_is_kept(tmp_path):
    for options in ({}, {"dtype": np.uint16}, {"classes": 3, "multiclass": True}):
        data = source(**options)
        assert disputed_bytes(data, "search") == gather(data, DICE, tmp_path).blocks.values.nbytes


def test_a_disk_that_is_too_small_is_named_before_anything_is_written(tmp_path, written):
    data = source(images=16, size=(200, 200), noise=9.0)
    needed = scratch_bytes(data, DICE, "search", truths=False)
    with disks.small_disk(tmp_path / "disk", "64k") as disk:
        with pytest.raises(ResourceError, match=f"ensemble will write {needed:,} bytes") as error:
            require_room(data, DICE, disk, "search", truths=False)
        assert "are free there" in str(error.value) and "ensemble.threshold" in str(error.value)
        require_room(source(images=1), DICE, disk, [0.5], truths=False)
    assert not written and needed > 2**16


def test_truths_are_kept_once(tmp_path, written):
    kept = keep_truths(source(), tmp_path)
    before = len(written)
    assert keep_truths(kept, tmp_path) is kept and len(written) == before


def test_without_maps_a_third_of_the_pixels_is_assumed():
    assert assumed_bytes(3000, 50, 1, 1, truths=False) == 50_000
    assert assumed_bytes(3000, 50, 2, 2, truths=True) == 200_000 + 6000
