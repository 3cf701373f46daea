"""The picture of what networks see, and steps that are refused before a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import DataError
from pipeline.member_id import MemberId
from pipeline.models.losses import weighted_loss
from pipeline.models.losses.truth import Truth
from pipeline.stages import check, train
from pipeline.stages.parts import augmentation_sheet
from pipeline.training.learner import Learner
from tests.helpers.competitions import TINY, context, draw_discs, said


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, classes=2)
    return folder


def _context(discs: Path, folder: Path, asked: str = "", **augment: Any) -> Any:
    data = {"classes": ["disc", "other"]}
    return context(
        discs, folder, asked, data=data, train={"augment": augment},
        submission={"rows": "class", "key": "{id}_{class}"},
    )  # fmt: skip


def test_the_sheet_shows_every_kind_of_augmentation(discs: Path, tmp_path: Path) -> None:
    stage = context(
        discs,
        tmp_path,
        models={
            "plain": {"decoder": "linknet", **TINY},
            "same": {"decoder": "linknet", **TINY},
            "mixed": {
                "decoder": "linknet",
                **TINY,
                "train": {"augment": {"preset": "heavy", "mixup": 0.5}},
            },
        },
    )
    augmentation_sheet.draw(stage, list(train.list_jobs(stage).values()))
    sheet = Image.open(stage.workspace.augmentation)
    assert sheet.width > 6 * 170 and sheet.height > 6 * 130
    assert np.asarray(sheet).std() > 10
    assert "plain, same: preset light;" in said(stage)
    assert "mixed: preset heavy (affine 0.8;" in said(stage) and "mixup 0.5" in said(stage)
    assert "augmentation.png" in stage.workspace.folders_of_a_run()


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_truth_reaches_the_loss_as_probabilities(discs: Path, tmp_path: Path, mixup: float) -> None:
    stage = _context(discs, tmp_path, mixup=mixup)
    job = train.list_jobs(stage)[MemberId("a", 0)]
    learner = Learner(job, "cpu", 1)
    random = torch.Generator().manual_seed(0)
    truth = (torch.rand(2, 2, 48, 64, generator=random) * (255 if mixup else 2)).byte()
    images = torch.randint(0, 256, (2, 3, 48, 64), generator=random).byte()
    batch = augmentation_sheet.Batch(
        images, truth, torch.ones(2, 1, 48, 64).byte(), torch.zeros(2, 1, 8)
    )
    planes = truth.float() / (255 if mixup else 1)
    logits = learner.network(images.float() / 255)
    expected = weighted_loss(job.losses, logits, Truth(planes, batch.valid.float(), False))
    assert torch.allclose(learner.learn([batch], 0), expected, rtol=1e-5)


def test_check_refuses_steps_that_do_not_fit_the_crop(discs: Path, tmp_path: Path) -> None:
    stage = _context(discs, tmp_path, "check", steps=["Transpose", "Blur"])
    with pytest.raises(DataError, match=r"models\.a: train\.augment\.steps: Transpose makes 64×48"):
        check.run(stage)
