"""What of a decision becomes rows, also at another size than the image's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.config import SubmissionConfig
from pipeline.data import rle
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.ensemble.recipe import Recipe
from pipeline.stages import submit
from pipeline.submission.format import SubmittedDecisions
from pipeline.submission.planes import kind_of, shapes_of_image
from tests.helpers.competitions import ONE_MODEL, context, draw_discs


def rows(maps: np.ndarray, steps: tuple[ChosenStep, ...] = (), **keys: Any) -> list[list[Any]]:
    """The mask of each row of each class."""
    settings = SubmissionConfig.model_validate(keys)
    recipe = Recipe({"a": 1.0}, (0.5,), multiclass=False, mean=ARITHMETIC, steps=steps)
    size = settings.size or maps.shape[1:]
    shapes = shapes_of_image(
        SubmittedDecisions(recipe, lambda _: [maps], lambda _: size), "t", settings
    )
    return [
        [rle.decode(rle.to_text(each.runs), size, settings.order) for each in plane]
        for plane in shapes
    ]


def two_touching(size: int = 64) -> np.ndarray:
    """Two squares that share an edge, less likely there."""
    likely = np.zeros((1, size, size), np.uint8)
    likely[0, 10:30, 8:50] = 250
    likely[0, 10:30, 28:30] = 140
    return likely


@pytest.mark.parametrize("size", [None, (32, 32), (16, 16), (128, 128)])
def test_objects_that_touch_stay_apart_at_any_size(size: tuple[int, int] | None) -> None:
    cut = (ChosenStep("watershed", 0.8),)
    (objects,) = rows(two_touching(), cut, rows="instance", size=size)
    assert len(objects) == 2
    assert np.sum(objects, axis=0).max() == 1, "disjoint"
    areas = [mask.mean() for mask in objects]
    assert areas == pytest.approx([20 * 20 / 64**2] * 2, rel=0.3)


def test_an_object_too_small_for_the_size_is_no_row() -> None:
    likely = two_touching()
    likely[0, 60, 60] = 255
    assert [len(plane) for plane in rows(likely, rows="instance")] == [2]
    assert [len(plane) for plane in rows(likely, rows="instance", size=(16, 16))] == [1]


@pytest.mark.parametrize(
    ("values", "kind"),
    [((0, 0), "empty"), ((255, 255), "everywhere"), ((0, 255), "mask"), ((9, 200), "mask")],
)
@pytest.mark.parametrize("how", ["image", "instance"])
def test_a_row_is_empty_everywhere_or_a_mask(values: tuple[int, int], kind: str, how: str) -> None:
    maps = np.full((1, 6, 8), values[0], np.uint8)
    maps[0, :, 3:] = values[1]
    settings = SubmissionConfig.model_validate({"rows": how})
    recipe = Recipe({"a": 1.0}, (0.5,), multiclass=False, mean=ARITHMETIC)
    decisions = SubmittedDecisions(recipe, lambda _: [maps], lambda _: (6, 8))
    (shapes,) = shapes_of_image(decisions, "t", settings)
    assert kind_of(shapes, (6, 8)) == kind


@pytest.mark.parametrize(("threshold", "what"), [(1.0, "empty"), (0.0, "everywhere")])
def test_a_submission_of_nothing_or_everything_is_told(
    tmp_path: Path, threshold: float, what: str
) -> None:
    draw_discs(tmp_path / "data", count=8)
    blocks = {**ONE_MODEL, "train": {"epochs": 1, "ema": None, "lr": 1e-2}}
    stage = context(tmp_path / "data", tmp_path, **{**blocks, "ensemble": {"threshold": threshold}})
    submit.run(stage)
    told = [text for text in stage.reporter.warned if "on every test image" in text]
    assert told == [f"submit: disc is {what} on every test image"]


@pytest.mark.parametrize("order", ["row", "column"])
def test_a_pixel_of_a_smaller_mask_is_inside_where_half_of_it_was(order: str) -> None:
    random = np.random.default_rng(0)
    field = cv2.GaussianBlur(random.normal(size=(60, 80)), (0, 0), 3)
    likely = np.where(field > 0.02, 200, 20).astype(np.uint8)[None]
    ((mask,),) = rows(likely, order=order, size=(30, 40))
    share = (likely[0] > 100).reshape(30, 2, 40, 2).mean(axis=(1, 3))
    assert (mask == (share >= 0.5)).all() and 0.2 < mask.mean() < 0.8
