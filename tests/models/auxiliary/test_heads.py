"""Heads: levels of every decoder, and a network that predicts as it does without them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.channels import Channels
from pipeline.config import ModelSpec
from pipeline.config.auxiliary import DeepSupervision
from pipeline.models.auxiliary.losses import deep_supervision, level_truth, map_loss, presence_loss
from pipeline.models.checkpoint import load_weights, save_weights
from pipeline.models.decoders.registry import DECODERS
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.losses.truth import Truth
from pipeline.models.segmentation import Trained
from tests.helpers.small_models import DECODERS_BY_COST

EVERY = [{"name": name} for name in ("presence", "boundary", "distance", "centre")]


def _spec(decoder: str, auxiliary: list[dict[str, object]]) -> ModelSpec:
    return ModelSpec.model_validate(
        {"decoder": decoder, "encoder": "test_resnet", "weights": None, "auxiliary": auxiliary}
    )


@pytest.mark.parametrize("decoder", DECODERS_BY_COST)
def test_levels_halve_in_size_and_the_masks_stay_as_they_are(decoder: str, tmp_path: Path) -> None:
    levels = len(DECODERS[decoder].levels)
    deep = [{"name": "deep_supervision", "levels": levels}] if levels else []
    spec = _spec(decoder, [*deep, *EVERY])
    torch.manual_seed(0)
    plain = build_model(spec, classes=2).train()
    torch.manual_seed(0)
    network = build_model(spec, classes=2).train()
    add_outputs(network, spec, 2)
    images = torch.rand(2, 3, 70, 90)
    torch.manual_seed(1)
    expected = plain(images)
    torch.manual_seed(1)
    given = network(images)
    assert isinstance(given, Trained)
    assert torch.equal(given.logits, expected if isinstance(expected, Tensor) else expected[0])
    assert given.outputs["presence"].shape == (2, 2)
    for name in ("boundary", "distance", "centre"):
        assert given.outputs[name].shape == (2, 2, 70, 90)
    sides = [each.shape[2] for each in given.outputs.get("deep_supervision", [])]
    assert len(sides) == levels and sides == sorted(sides, reverse=True)
    assert all(one == 2 * other for one, other in itertools.pairwise(sides))
    assert not network.decoder._forward_hooks
    save_weights(tmp_path / "w", network)
    load_weights(tmp_path / "w", plain)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(images), network.eval()(images))


@pytest.mark.parametrize("use", ["concat", "siamese"])
def test_levels_are_found_beside_a_reference(use: str) -> None:
    spec = _spec("bisenet", [{"name": "deep_supervision", "levels": 2}])
    spec = spec.model_copy(update={"reference": use})
    network = build_model(spec, classes=1, channels=Channels(3, references=True)).train()
    add_outputs(network, spec, 1)
    assert len(network(torch.rand(2, 6, 64, 64)).outputs["deep_supervision"]) == 2


def test_truth_of_a_level_is_the_mean_of_what_is_valid() -> None:
    random = torch.Generator().manual_seed(0)
    planes = (torch.rand(1, 2, 12, 20, generator=random) > 0.5).float()
    valid = (torch.rand(1, 1, 12, 20, generator=random) > 0.3).float()
    level = level_truth(Truth(planes, valid, False), torch.zeros(1, 2, 4, 8))
    assert level.planes.shape == (1, 2, 4, 8)
    block, seen = planes[0, :, :4, 4:8], valid[0, 0, :4, 4:8]
    assert torch.allclose(level.planes[0, :, 0, 1], (block * seen).sum((1, 2)) / seen.sum())
    assert not level.valid[..., 3:, :].any() and not level.valid[..., 5:].any()  # beyond the truth


def test_levels_count_half_of_the_one_before() -> None:
    truth = Truth(torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16), False)
    costs = iter([torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0)])
    levels = [torch.zeros(1, 1, side, side) for side in (8, 4, 2)]
    total = deep_supervision(levels, truth, lambda logits, of: next(costs))
    assert total == pytest.approx((4 * 1 + 2 * 2 + 1 * 4) / 7)


def test_losses_are_zero_at_best_and_ignore_the_unknown() -> None:
    target = torch.tensor([[[[0, 127, 254, 255]]]], dtype=torch.uint8)
    best = torch.tensor([[[[-40.0, 0.0, 40.0, 9.0]]]], requires_grad=True)
    assert map_loss(best, target) < 1e-6
    map_loss(best + 1, target).backward()  # type: ignore[no-untyped-call]
    assert best.grad is not None and best.grad[..., 3] == 0 and best.grad.isfinite().all()
    unknown = torch.full((1, 2), torch.nan)
    assert presence_loss(torch.zeros(1, 2), unknown) == 0
    assert map_loss(best, torch.full_like(target, 255)) == 0


def test_levels_are_as_many_as_asked_for() -> None:
    spec = _spec("unet", [{"name": "deep_supervision", "levels": 2}])
    network = build_model(spec, classes=1).train()
    add_outputs(network, spec, 1)
    assert isinstance(spec.auxiliary[0], DeepSupervision)
    given = network(torch.rand(2, 3, 64, 64))
    assert isinstance(given, Trained)
    assert [each.shape[2] for each in given.outputs["deep_supervision"]] == [32, 16]
