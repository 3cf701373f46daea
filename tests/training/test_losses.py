from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.models.losses import LOSSES, weighted_loss


def _batch(multiclass: bool, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 5, 4, generator=random)
    if multiclass:
        index = torch.randint(0, 3, (2, 5, 4), generator=random)
        planes = torch.nn.functional.one_hot(index, 3).permute(0, 3, 1, 2).float()
    else:
        planes = (torch.rand(2, 3, 5, 4, generator=random) > 0.6).float()
    valid = (torch.rand(2, 1, 5, 4, generator=random) > 0.3).float()
    return logits, planes, valid


def _slow(name: str, logits: np.ndarray, planes: np.ndarray, valid: np.ndarray, multiclass: bool):
    """The same losses pixel by pixel, in float64."""
    sums = np.zeros((3, 3))  # class × (Σpt, Σp, Σt)
    terms = []
    for n, y, x in np.ndindex(len(logits), *logits.shape[2:]):
        if not valid[n, 0, y, x]:
            continue
        z, t = logits[n, :, y, x].astype(float), planes[n, :, y, x]
        p = np.exp(z) / np.exp(z).sum() if multiclass else 1 / (1 + np.exp(-z))
        sums += np.stack([p * t, p, t], axis=1)
        right = (p * t).sum() if multiclass else np.where(t > 0, p, 1 - p)
        focus = (1 - right) ** 2 if name == "focal" else 1
        terms.append(np.mean(-focus * np.log(right)))
    overlap, total = sums[:, 0], sums[:, 1] + sums[:, 2]
    if name == "dice":
        return np.mean(1 - (2 * overlap + 1) / (total + 1))
    if name == "jaccard":
        return np.mean(1 - (overlap + 1) / (total - overlap + 1))
    return np.mean(terms)


@pytest.mark.parametrize(
    ("name", "multiclass"),
    [
        (name, multiclass)
        for name in sorted(LOSSES)
        for multiclass in (False, True)
        if (name, multiclass) not in (("ce", False), ("bce", True))
    ],
)
def test_each_loss_equals_a_slow_one_and_sees_no_void(name: str, multiclass: bool) -> None:
    logits, planes, valid = _batch(multiclass)
    loss = LOSSES[name](logits, planes, valid, multiclass)
    expected = _slow(name, logits.numpy(), planes.numpy(), valid.numpy(), multiclass)
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)
    changed = torch.where(valid > 0, logits, torch.full_like(logits, 3.0))
    assert float(LOSSES[name](changed, planes, valid, multiclass)) == pytest.approx(float(loss))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_batch_without_valid_pixels_costs_nothing_and_is_no_nan(name: str) -> None:
    logits, planes, valid = _batch(multiclass=True)
    logits.requires_grad_()
    loss = LOSSES[name](logits, planes, torch.zeros_like(valid), True)
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_weights_add_up_and_half_precision_is_summed_in_full() -> None:
    logits, planes, valid = _batch(multiclass=False)
    total = weighted_loss({"bce": 2.0, "dice": 0.5}, logits, planes, valid, False)
    parts = [LOSSES[name](logits, planes, valid, False) for name in ("bce", "dice")]
    assert float(total) == pytest.approx(2 * float(parts[0]) + 0.5 * float(parts[1]))
    large = torch.zeros(1, 1, 600, 600, dtype=torch.float16)
    ones = torch.ones(1, 1, 600, 600)
    assert torch.isfinite(weighted_loss({"dice": 1.0}, large, ones, ones, False))
