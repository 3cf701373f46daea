"""A format of masks is chosen by what the experiment says, and a new one is a file and a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from pipeline.config import DataConfig
from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.inspection import inspect
from pipeline.data.masks import registry
from pipeline.data.masks.files import MaskFiles
from pipeline.data.samples import SampleReader
from pipeline.size import Size
from tests.helpers.data_folders import CLASSES, config, save, smooth

TABLE = {"csv": "train.csv"}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, "LabelMaps"),
        ({"classes": CLASSES}, "LabelMaps"),
        ({"classes": {"a": "#102030", "b": [1, 2, 3]}}, "ColourMaps"),
        ({"classes": CLASSES, "masks": "masks/{id}_*.png"}, "LabelMaps"),
        ({"masks": "masks/{id}/*.png"}, "ObjectFiles"),
        ({"masks": "masks/{class}/{id}.png"}, "ClassFiles"),
        ({"masks": "masks/{class}/{id}_*.png"}, "ClassFiles"),
        ({"classes": CLASSES, "masks": "masks/{id}_{class}_*.png"}, "ClassFiles"),
        ({"masks": TABLE}, "RunLengths"),
        ({"masks": {**TABLE, "instances": True}}, "RunLengths"),
        ({"classes": CLASSES, "masks": {**TABLE, "class": "c"}}, "RunLengths"),
        ({"classes": CLASSES, "masks": {"annotations": "train.json"}}, "Annotated"),
        ({"masks": {"annotations": "labels/{id}.txt"}}, "Annotated"),
        ({"soft": True}, "SoftMaps"),
        ({"soft": True, "masks": "masks/{id}/*.png"}, "SoftMaps"),
        ({"masks": {"label_map": "labels/{id}.tif"}}, "ObjectMaps"),
    ],
)
def test_one_format_takes_the_masks_of_an_experiment(
    keys: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    data = config(tmp_path, **keys)
    fits = [each.__name__ for each in registry.FORMATS if each.of(data) is not None]
    assert fits == [kind] and type(registry.mask_format(data)).__name__ == kind


class ArrayFiles(MaskFiles):
    """A made-up format: a NumPy array of 0 and 1 beside each image."""

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        masks = data.masks
        return cls(data, masks) if isinstance(masks, str) and masks.endswith(".npy") else None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        (path,) = self.required(sample_id, files)
        return Truth(np.load(path)[None])


def test_a_new_format_needs_no_more_than_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FORMATS", (ArrayFiles, *registry.FORMATS))
    data = config(tmp_path, masks="masks/{id}.npy")
    mask = np.eye(24, 36, dtype=np.uint8)
    (tmp_path / "masks").mkdir()
    for name in "ab":
        save(tmp_path / f"images/{name}.png", smooth(seed=ord(name)))
        np.save(tmp_path / f"masks/{name}.npy", mask)
    (tmp_path / "masks/b.npy").unlink()
    catalog = list_samples(data)
    found, missing = inspect(catalog, data, {}, lambda _: None)
    assert found.shares == (pytest.approx(24 / (24 * 36)),) and not found.problem
    assert missing.problem == "b: no mask matches masks/{id}.npy"
    assert np.array_equal(SampleReader(data).truth(catalog.train[0], (24, 36)).planes[0], mask)
