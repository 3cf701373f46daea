"""What is written before the first model, and where the sample file is about other images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle import offline
from pipeline.bundle.found import Found, plan_of_what_is_there, write, write_without_images
from pipeline.bundle.offline import OfflineRequest, submit_offline
from pipeline.errors import DataError
from pipeline.prediction.finished_run import FinishedRun
from pipeline.reporting import SilentReporter
from pipeline.submission.registry import submission_suffix
from pipeline.workspace import FinishedPaths
from tests.helpers.decided import decided, read_back, submitting
from tests.submission.test_formats import FORMATS, VOLUME


def finished(root: Path, keys: dict[str, Any], **data: Any) -> FinishedRun:
    """A run of no models."""
    chosen = submitting(root, keys, **data)
    recipe = decided({"1": np.zeros((len(chosen.data.classes), 1, 1), bool)}).recipe
    recipe = replace(recipe, multiclass=chosen.data.multiclass)
    return FinishedRun(chosen, recipe, {}, {}, FinishedPaths(root))


@pytest.mark.parametrize("name", FORMATS)
def test_no_image_at_all_is_a_submission(name: str, tmp_path: Path) -> None:
    keys, data = FORMATS[name]
    run = finished(tmp_path, keys, **data)
    path = tmp_path / f"sent{submission_suffix(run.experiment)}"
    write_without_images(path, run)
    assert read_back(run.experiment, {}, path) == {}


@pytest.mark.parametrize(
    ("keys", "sample", "wanted"),
    [
        ({}, "image;EncodedPixels\n9;1 1\n", "image;EncodedPixels\n7;\n"),
        ({"copied": ["w"]}, "id,w,rle\n9,5,1 1\n", "id,w,rle\n7,,\n"),
        ({"score": "s"}, "s,id,rle\n1,9,1 1\n", "s,id,rle\n0.000000,7,\n"),
        (
            {"format": "pixels", "layout": "list"},
            "image\tlabels\n9\t1\n",
            "image\tlabels\n7\t0 0 0 0\n",
        ),
    ],
)
def test_other_images_have_the_header_of_the_sample(
    keys: dict[str, Any], sample: str, wanted: str, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(sample)
    run = finished(tmp_path, {**keys, "sample": "s.csv"})
    planned = plan_of_what_is_there(run.experiment, ["7"], SilentReporter())
    write(
        tmp_path / "sent.csv", planned, Found.so_far(run, {"7": (2, 2)}, {}, {}), SilentReporter()
    )
    assert (tmp_path / "sent.csv").read_text() == wanted


def test_a_sample_is_sent_before_images_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that cannot be opened has no slices to be empty."""
    run = finished(tmp_path, {"sample": "s.csv"}, **VOLUME)
    (tmp_path / "s.csv").write_text("id,rle\nv_0000,1 1\n")
    (tmp_path / "t").mkdir()
    (tmp_path / "t/v.png").write_bytes(b"no image")
    monkeypatch.setattr(offline, "read_finished_run", lambda _: run)
    request = OfflineRequest(tmp_path, tmp_path, tmp_path / "out", tmp_path / "scratch")
    with pytest.raises(DataError, match=r"v\.png"):
        submit_offline(request, SilentReporter())
    assert (tmp_path / "out/submission.csv").read_text() == "id,rle\nv_0000,\n"
