"""The configs that come with the repository, on the real data beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import DataConfig, load_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.groups import groups_of
from pipeline.data.images import read_rgb
from pipeline.data.masks.registry import mask_format
from pipeline.submission.rows import plan_rows
from tests.helpers.shared_data import shared_data

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("camvid", 157, 78), ("magtile", 460, 160), ("dsb2018", 150, 48)],
)
def test_every_sample_is_found_and_some_are_read(name: str, train: int, test: int) -> None:
    folder = shared_data(name)
    experiment = load_experiment(CONFIGS / f"{name}.yaml", data=str(folder))
    data = experiment.data
    catalog = list_samples(data)
    assert (len(catalog.train), len(catalog.test)) == (train, test)
    assert catalog.duplicates == catalog.masks_without_image == ()
    groups = groups_of([sample.id for sample in catalog.train], data)
    assert 2 <= len(set(groups.values())) <= train
    reader = mask_format(data)
    for sample in catalog.train[:: train // 6]:
        height, width, channels = read_rgb(sample.image).shape
        truth = reader.read(sample.id, sample.masks, (height, width))
        assert channels == 3
        assert truth.planes.shape == (len(data.classes), height, width)
        if data.multiclass:
            assert truth.valid is not None
            assert np.array_equal(truth.planes.sum(axis=0) == 1, truth.valid)
    rows, _ = plan_rows(
        experiment.submission, folder, [sample.id for sample in catalog.test], data.class_names
    )
    assert len({row.id for row in rows}) == test


def test_nuclei_are_the_same_as_files_and_as_run_lengths() -> None:
    files = load_experiment(CONFIGS / "dsb2018.yaml", data=str(shared_data("dsb2018"))).data
    table = DataConfig.model_validate(
        {**files.model_dump(), "masks": {"csv": "stage1_train_labels.csv", "instances": True}}
    )
    from_files, from_table = mask_format(files), mask_format(table)
    for sample in list_samples(files).train[::40]:
        height, width, _ = read_rgb(sample.image).shape
        first, second = (
            each.read(sample.id, sample.masks, (height, width)) for each in (from_files, from_table)
        )
        assert np.array_equal(first.planes, second.planes)
        assert first.instances is not None
        assert second.instances is not None
        assert first.instances.max() == second.instances.max()
