"""Losses on a GPU are those on the CPU, with maps of the truth that OpenCV makes."""

from __future__ import annotations

import pytest
import torch

from pipeline.config import TrainConfig
from pipeline.models.losses import LOSSES, weighted_loss
from pipeline.models.losses.truth import Truth

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_loss_and_its_gradient_are_those_of_the_cpu(device: str, name: str) -> None:
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 3, 40, 30, generator=random)
    planes = torch.zeros(2, 3, 40, 30).scatter_(1, logits.argmax(dim=1, keepdim=True), 1)
    planes[:, :, 10:30, 8:20] = torch.tensor([0.0, 1, 0])[:, None, None]
    valid = (torch.rand(2, 1, 40, 30, generator=random) > 0.2).float()
    terms = TrainConfig.model_validate({"loss": name}).loss or ()
    found = []
    for place in ("cpu", device):
        free = logits.to(place, copy=True).requires_grad_()
        truth = Truth(planes.to(place), valid.to(place), multiclass=True)
        loss = weighted_loss(terms, free, truth)
        found.append((loss.detach().cpu(), torch.autograd.grad(loss, free)[0].cpu()))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)
