"""Losses against slow ones written from their papers and those of SMP; void, saturation, bf16."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from segmentation_models_pytorch import losses as smp
from torch import Tensor
from torch.nn import functional as F

from pipeline.config import TrainConfig
from pipeline.config.losses import LossTerm
from pipeline.models.losses import LOSSES, weighted_loss
from pipeline.models.losses.truth import Truth

SHAPE = (2, 3, 12, 10)


def terms(loss: Any) -> tuple[LossTerm, ...]:
    found = TrainConfig.model_validate({"loss": loss}).loss
    assert found is not None
    return found


def value_of(loss: Any, logits: Tensor, truth: Truth) -> Tensor:
    return weighted_loss(terms(loss), logits, truth)


def batch(
    multiclass: bool, void: float = 0.3, seed: int = 0, soft: bool = False
) -> tuple[Tensor, Truth]:
    """Logits and truths with blobs of several pixels; all classes occur."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(SHAPE, generator=random)
    fields = F.avg_pool2d(torch.randn(SHAPE, generator=random), 3, stride=1, padding=1)
    if multiclass:
        planes = F.one_hot(fields.argmax(dim=1), SHAPE[1]).permute(0, 3, 1, 2).float()
    else:
        planes = (fields > 0.1).float()
    if soft:
        spread = 0.1 + 0.2 * torch.rand(SHAPE, generator=random)
        planes = planes * (1 - spread) + (1 - planes) * spread
        planes = planes / planes.sum(dim=1, keepdim=True) if multiclass else planes
    valid = (torch.rand((SHAPE[0], 1, *SHAPE[2:]), generator=random) >= void).float()
    return logits, Truth(planes, valid, multiclass)


# --- slow references: float64, one class of one group of pixels at a time


Array = NDArray[np.float64]
Pixels = tuple[Array, Array, Array]
"""Probabilities, truths, logits of the valid pixels of a class."""


def probabilities(logits: Tensor, multiclass: bool) -> Array:
    z = logits.double().numpy()
    if not multiclass:
        return np.asarray(1 / (1 + np.exp(-z)))
    powers = np.exp(z)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def mean_over_groups(
    of_class: Callable[[Array, Array], float], logits: Tensor, truth: Truth, by_batch: bool
) -> float:
    """The mean of a function of valid probabilities and truths, over classes and images."""
    p = probabilities(logits, truth.multiclass)
    t, valid = truth.planes.double().numpy(), truth.valid.numpy()[:, 0] > 0
    groups = [slice(None)] if by_batch else [slice(n, n + 1) for n in range(len(p))]
    return float(
        np.mean(
            [
                of_class(p[group, c][valid[group]], t[group, c][valid[group]])
                for group in groups
                for c in range(p.shape[1])
            ]
        )
    )


def region(name: str, **given: float) -> Callable[[Array, Array], float]:
    def of_class(p: Array, t: Array) -> float:
        tp, fp, fn, tn = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum(), 0.0
        if name == "dice" and given.get("squared"):
            return float(1 - (2 * tp + 1) / ((p**2).sum() + (t**2).sum() + 1))
        if name == "dice":
            return float(1 - (2 * tp + 1) / (2 * tp + fp + fn + 1))
        if name == "jaccard":
            return float(1 - (tp + 1) / (tp + fp + fn + 1))
        if name == "mcc":
            tn = ((1 - p) * (1 - t)).sum()
            spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
            return float(1 - (tp * tn - fp * fn) / np.sqrt(spread))
        alpha, beta = given.get("alpha", 0.3), given.get("beta", 0.7)
        loss = 1 - (tp + 1) / (tp + alpha * fp + beta * fn + 1)
        return float(loss ** (1 / given.get("gamma", 4 / 3))) if "focal" in name else float(loss)

    return of_class


REGIONS: list[dict[str, Any]] = [
    {"name": "dice"}, {"name": "dice", "squared": True}, {"name": "jaccard"}, {"name": "mcc"},
    {"name": "tversky", "alpha": 0.2, "beta": 0.9}, {"name": "focal_tversky", "gamma": 2},
]  # fmt: skip


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("by_batch", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("term", REGIONS, ids=str)
def test_losses_of_regions_equal_slow_ones(
    term: dict[str, Any], soft: bool, by_batch: bool, multiclass: bool
) -> None:
    logits, truth = batch(multiclass, soft=soft)
    loss = value_of([{**term, "batch": by_batch}], logits, truth)
    expected = mean_over_groups(region(**term), logits, truth, by_batch)
    assert float(loss) == pytest.approx(expected, abs=2e-5)


def slow_pixels(term: dict[str, Any], logits: Tensor, truth: Truth) -> float:
    """Cross-entropies and focal loss: costs and weights of each valid pixel, the hardest kept."""
    p = probabilities(logits, truth.multiclass)
    planes, valid = truth.planes.double().numpy(), truth.valid.numpy()[:, 0] > 0
    weights = np.array(term.get("class_weights", np.ones(SHAPE[1])))
    smoothing, gamma = term.get("smoothing", 0), term.get("gamma", 2)
    found: list[tuple[float, float]] = []
    for n, y, x in np.argwhere(valid):
        q, t = p[n, :, y, x], planes[n, :, y, x]
        if truth.multiclass:
            drawn = t * (1 - smoothing) + smoothing / len(t)
            each = -drawn * np.log(q) * ((1 - q) ** gamma if term["name"] == "focal" else 1)
            found.append((float((weights * each).sum()), float((weights * t).sum())))
            continue
        drawn = t * (1 - smoothing) + smoothing / 2
        each = -term.get("pos_weight", 1) * drawn * np.log(q) - (1 - drawn) * np.log(1 - q)
        if term["name"] == "focal":
            alpha = term.get("alpha")
            each = each * (1 - np.exp(-each)) ** gamma
            each = each if alpha is None else each * (alpha * t + (1 - alpha) * (1 - t))
        found += list(zip(weights * each, weights, strict=True))
    found.sort(reverse=True)
    kept = found[: max(1, round(term.get("topk", 1) * len(found)))]
    return float(sum(cost for cost, _ in kept) / sum(weight for _, weight in kept))


OF_PIXELS: list[dict[str, Any]] = [
    {}, {"topk": 0.25}, {"smoothing": 0.2}, {"class_weights": [1, 0.5, 3]},
    {"topk": 0.1, "smoothing": 0.1, "class_weights": [2, 1, 1]},
]  # fmt: skip


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    "term",
    [{"name": name, **more} for name in ("bce", "ce") for more in OF_PIXELS]
    + [{"name": "bce", "pos_weight": 4}, {"name": "focal"}, {"name": "focal", "gamma": 0.5}]
    + [{"name": "focal", "gamma": 3, "alpha": 0.25, "class_weights": [1, 2, 3]}],
    ids=str,
)
def test_losses_of_pixels_equal_slow_ones(term: dict[str, Any], soft: bool) -> None:
    logits, truth = batch(multiclass=term["name"] == "ce", soft=soft)
    loss = value_of([term], logits, truth)
    assert float(loss) == pytest.approx(slow_pixels(term, logits, truth), abs=2e-5)


def test_focal_of_exclusive_classes_equals_a_slow_one() -> None:
    logits, truth = batch(multiclass=True)
    term = {"name": "focal", "gamma": 1.5, "class_weights": [1, 2, 3]}
    loss = value_of([term], logits, truth)
    assert float(loss) == pytest.approx(slow_pixels(term, logits, truth), abs=2e-5)


# --- segmentation-models-pytorch and torch


def smp_pairs() -> list[Any]:
    label, classes = "multilabel", "multiclass"
    return [
        ({"name": "dice"}, False, smp.DiceLoss(label, smooth=0.5)),
        ({"name": "dice"}, True, smp.DiceLoss(classes, smooth=0.5)),
        ({"name": "jaccard"}, False, smp.JaccardLoss(label, smooth=1)),
        (
            {"name": "tversky", "alpha": 0.3, "beta": 0.7},
            False,
            smp.TverskyLoss(label, alpha=0.3, beta=0.7, smooth=1),
        ),
        ({"name": "focal"}, False, smp.FocalLoss(label)),
        ({"name": "focal", "alpha": 0.3, "gamma": 3}, False, smp.FocalLoss(label, 0.3, 3)),
        ({"name": "bce", "smoothing": 0.2}, False, smp.SoftBCEWithLogitsLoss(smooth_factor=0.1)),
        ({"name": "lovasz"}, True, smp.LovaszLoss(classes)),
        ({"name": "lovasz", "batch": False}, True, smp.LovaszLoss(classes, per_image=True)),
        (
            {"name": "ce", "class_weights": [1, 2, 0.5], "smoothing": 0.1},
            True,
            torch.nn.CrossEntropyLoss(torch.tensor([1, 2, 0.5]), label_smoothing=0.1),
        ),
    ]


@pytest.mark.parametrize("which", range(len(smp_pairs())))
def test_losses_equal_those_of_smp_and_torch(which: int) -> None:
    term, multiclass, theirs = smp_pairs()[which]
    logits, truth = batch(multiclass, void=0)
    target = truth.planes.argmax(dim=1) if multiclass else truth.planes
    loss = value_of([term], logits, truth)
    assert float(loss) == pytest.approx(float(theirs(logits, target)), abs=1e-5)


@pytest.mark.parametrize("by_batch", [False, True])
def test_one_class_equals_smp(by_batch: bool) -> None:
    """SMP takes all classes of a hinge and of MCC as one."""
    logits, truth = batch(multiclass=False, void=0)
    logits, truth = logits[:, :1], Truth(truth.planes[:, :1], truth.valid, False)
    hinge = smp.LovaszLoss("binary", per_image=not by_batch)(logits[:, 0], truth.planes[:, 0])
    loss = value_of([{"name": "lovasz", "batch": by_batch}], logits, truth)
    assert float(loss) == pytest.approx(float(hinge), abs=1e-5)
    theirs = smp.MCCLoss()(logits.sigmoid(), truth.planes)
    assert float(value_of("mcc", logits, truth)) == pytest.approx(float(theirs), abs=1e-5)


def test_void_pixels_of_a_hinge_are_as_if_they_were_not_there() -> None:
    logits, truth = batch(multiclass=False)
    logits, truth = 3 * logits[:, :1], Truth(truth.planes[:, :1], truth.valid, False)
    target = torch.where(truth.valid > 0, truth.planes, 255.0)
    theirs = smp.LovaszLoss("binary", ignore_index=255)(logits[:, 0], target[:, 0])
    assert float(value_of("lovasz", logits, truth)) == pytest.approx(float(theirs), abs=1e-5)


# --- losses of boundaries and lines, from their papers


def slow_distances(inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Array:
    """To the nearest pixel of the other side, by looking at every pair."""
    result = np.zeros(inside.shape)
    for one, other in ((inside, outside), (outside, inside)):
        to = np.argwhere(other)
        for place in np.argwhere(one) if len(to) else ():
            result[tuple(place)] = np.sqrt(((to - place) ** 2).sum(axis=1).min())
    return result


def sides(planes: Array, truth: Truth) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    valid = truth.valid.numpy() > 0
    return (planes >= 0.5) & valid, (planes < 0.5) & valid


def mapped(function: Callable[..., Any], *planes: NDArray[Any]) -> Array:
    return np.array(
        [
            [function(*each) for each in zip(*image, strict=True)]
            for image in zip(*planes, strict=True)
        ]
    )


def valid_mean(each: Array, truth: Truth) -> float:
    return float(each[np.broadcast_to(truth.valid.numpy() > 0, each.shape)].mean())


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_boundary_is_kervadecs(multiclass: bool, soft: bool) -> None:
    logits, truth = batch(multiclass, soft=soft)
    inside, outside = sides(truth.planes.numpy().astype(float), truth)
    signed = mapped(slow_distances, inside, outside)
    signed = np.where(inside & (signed > 0), -(signed - 1), signed)
    expected = valid_mean(probabilities(logits, multiclass) * signed, truth)
    assert float(value_of("boundary", logits, truth)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("one_sided", [False, True])
def test_hausdorff_is_karimis(multiclass: bool, one_sided: bool) -> None:
    logits, truth = batch(multiclass, soft=True)
    planes, p = truth.planes.numpy().astype(float), probabilities(logits, multiclass)
    reach = mapped(slow_distances, *sides(planes, truth)) ** 1.5
    if not one_sided:
        reach = reach + mapped(slow_distances, *sides(p, truth)) ** 1.5
    term = {"name": "hausdorff", "alpha": 1.5, "one_sided": one_sided}
    expected = valid_mean((p - planes) ** 2 * reach, truth)
    assert float(value_of([term], logits, truth)) == pytest.approx(expected, rel=1e-5)


def test_distances_are_those_of_scipy_where_nothing_is_void() -> None:
    """As MONAI adds them up: of the inside, and of the outside."""
    _, truth = batch(multiclass=False, void=0)
    for inside, ours in zip(
        truth.inside.numpy().reshape(-1, *SHAPE[2:]),
        truth.distances.numpy().reshape(-1, *SHAPE[2:]),
        strict=True,
    ):
        theirs = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(1 - inside)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("multiclass", [False, True])
def test_boundary_dou_is_suns(multiclass: bool) -> None:
    logits, truth = batch(multiclass)
    inside, outside = sides(truth.planes.numpy().astype(float), truth)
    p = probabilities(logits, multiclass)
    losses = []
    for c in range(SHAPE[1]):
        length = area = overlap = union = 0.0
        for n, y, x in np.argwhere(truth.valid.numpy()[:, 0] > 0):
            near = outside[n, c, max(y - 1, 0) : y + 2, x], outside[n, c, y, max(x - 1, 0) : x + 2]
            here, q = inside[n, c, y, x], p[n, c, y, x]
            length += here and (near[0].any() or near[1].any())
            area += here
            overlap += q * here
            union += q**2 + here - q * here
        alpha = min(1 - 2 * length / area, 0.8)
        losses.append((union - overlap) / (union - alpha * overlap))
    loss = value_of("boundary_dou", logits, truth)
    assert float(loss) == pytest.approx(float(np.mean(losses)), abs=1e-5)


def slow_soft_skeleton(plane: Array, iterations: int) -> Array:
    """Algorithm 1 of Shit et al. 2021, with SciPy's gray morphology."""
    cross = ndimage.generate_binary_structure(2, 1)

    def eroded(image: Array) -> Array:
        return np.asarray(ndimage.grey_erosion(image, footprint=cross, mode="nearest"))

    def opened(image: Array) -> Array:
        return np.asarray(ndimage.grey_dilation(eroded(image), size=(3, 3), mode="nearest"))

    skeleton = np.maximum(plane - opened(plane), 0)
    for _ in range(iterations):
        plane = eroded(plane)
        skeleton = skeleton + (1 - skeleton) * np.maximum(plane - opened(plane), 0)
    return skeleton


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("by_batch", [False, True])
def test_cldice_is_shits(multiclass: bool, by_batch: bool) -> None:
    logits, truth = batch(multiclass)
    valid = truth.valid.numpy()
    p, t = probabilities(logits, multiclass) * valid, truth.planes.numpy() * valid
    lines = mapped(lambda each: slow_soft_skeleton(each, 4), p)
    true_lines = mapped(lambda each: slow_soft_skeleton(each, 4), t)
    axes = (0, 2, 3) if by_batch else (2, 3)
    precision = ((lines * t).sum(axes) + 1) / (lines.sum(axes) + 1)
    sensitivity = ((true_lines * p).sum(axes) + 1) / (true_lines.sum(axes) + 1)
    expected = (1 - 2 * precision * sensitivity / (precision + sensitivity)).mean()
    loss = value_of([{"name": "cldice", "iterations": 4, "batch": by_batch}], logits, truth)
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("multiclass", [False, True])
def test_skeleton_recall_is_kirchhoffs(multiclass: bool) -> None:
    logits, truth = batch(multiclass)
    lines = truth.skeletons.numpy() > 0
    square = np.ones((3, 3), bool)
    inside, _ = sides(truth.planes.numpy().astype(float), truth)
    tubes = mapped(lambda each: ndimage.binary_dilation(each, square), lines) * inside
    p = probabilities(logits, multiclass)
    recall = ((p * tubes).sum((0, 2, 3)) + 1) / (tubes.sum((0, 2, 3)) + 1)
    loss = value_of([{"name": "skeleton_recall", "tube": 1}], logits, truth)
    assert float(loss) == pytest.approx(float(1 - recall.mean()), abs=1e-5)


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize(("size", "margin"), [(3, 3), (5, 1)])
def test_affinity_is_kes_with_one_size(multiclass: bool, size: int, margin: float) -> None:
    logits, truth = batch(multiclass)
    p, inside = probabilities(logits, multiclass), truth.planes.numpy() >= 0.5
    valid, reach = truth.valid.numpy()[:, 0] > 0, size // 2
    found: list[dict[bool, list[float]]] = [{True: [], False: []} for _ in range(SHAPE[1])]
    for n, y, x in np.argwhere(valid):
        for v, u in itertools.product((y - reach, y, y + reach), (x - reach, x, x + reach)):
            there = 0 <= v < SHAPE[2] and 0 <= u < SHAPE[3] and (v, u) != (y, x)
            if not there or not valid[n, v, u]:
                continue
            for c in range(SHAPE[1]):
                i, j = p[n, c, y, x], p[n, c, v, u]
                divergence = j * np.log(j / i) + (1 - j) * np.log((1 - j) / (1 - i))
                apart = bool(inside[n, c, y, x] != inside[n, c, v, u])
                found[c][apart].append(max(0, margin - divergence) if apart else divergence)
    expected = np.mean([np.mean(each[True]) + np.mean(each[False]) for each in found])
    loss = value_of([{"name": "affinity", "size": size, "margin": margin}], logits, truth)
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)


def test_affinity_takes_crops_smaller_than_its_neighbourhood() -> None:
    logits, truth = (
        torch.randn(1, 1, 2, 2),
        Truth(torch.eye(2)[None, None], torch.ones(1, 1, 2, 2), False),
    )
    assert float(value_of([{"name": "affinity", "size": 7}], logits, truth)) == 0
    assert float(value_of("affinity", logits, truth)) > 0


# --- what all losses promise


EVERY: list[dict[str, Any]] = [{"name": name} for name in LOSSES] + [
    {"name": "bce", "topk": 0.1, "smoothing": 0.1, "class_weights": [1, 0, 2], "pos_weight": 3},
    {"name": "ce", "topk": 0.1, "smoothing": 0.1, "class_weights": [1, 0, 2]},
    {"name": "focal", "gamma": 0.1}, {"name": "focal", "gamma": 0},
    {"name": "focal_tversky", "gamma": 10, "batch": False}, {"name": "dice", "squared": True},
    {"name": "hausdorff", "one_sided": True}, {"name": "hausdorff", "alpha": 0.1},
    {"name": "affinity", "size": 7, "margin": 0.5},
    *({"name": name, "batch": False} for name in
      ("dice", "jaccard", "mcc", "lovasz", "boundary_dou", "cldice", "skeleton_recall")),
]  # fmt: skip


def cases() -> list[tuple[dict[str, Any], bool]]:
    return [(t, m) for t in EVERY for m in (False, True) if m or t["name"] != "ce"]


@pytest.mark.parametrize(("term", "multiclass"), cases(), ids=str)
def test_neither_logits_nor_truth_of_void_pixels_are_seen(
    term: dict[str, Any], multiclass: bool
) -> None:
    logits, truth = batch(multiclass)
    loss = float(value_of([term], logits, truth))
    assert loss != 0
    void = truth.valid == 0
    other = Truth(torch.where(void, 1 - truth.planes, truth.planes), truth.valid, multiclass)
    changed = torch.where(void, -3 * logits + 1, logits).requires_grad_()
    again = value_of([term], changed, other)
    assert float(again.detach()) == pytest.approx(loss, rel=1e-5)
    (gradient,) = torch.autograd.grad(again, changed)
    assert not gradient[void.expand_as(gradient)].any() and gradient.any()


@pytest.mark.parametrize(("term", "multiclass"), cases(), ids=str)
def test_nothing_valid_costs_nothing_and_no_gradient_is_lost(
    term: dict[str, Any], multiclass: bool
) -> None:
    logits, truth = batch(multiclass)
    empty = torch.zeros_like(truth.planes)
    full = torch.ones_like(truth.planes)
    nothing = torch.zeros_like(truth.valid)
    for planes, valid in ((truth.planes, nothing), (empty, truth.valid), (full, truth.valid)):
        for scale in (0.0, 1.0, 100.0):
            for dtype in (torch.float32, torch.bfloat16):
                free = (logits.sign() * scale).to(dtype).requires_grad_()
                loss = value_of([term], free, Truth(planes, valid, multiclass))
                (gradient,) = torch.autograd.grad(loss, free)
                assert torch.isfinite(loss.detach()) and torch.isfinite(gradient).all()
                if valid is nothing:
                    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("term", "multiclass"), cases(), ids=str)
def test_saturated_logits_have_finite_gradients(term: dict[str, Any], multiclass: bool) -> None:
    logits, truth = batch(multiclass)
    right = 200 * truth.planes - 100
    for saturated in (right, -right, 100 * logits.sign()):
        for dtype in (torch.float32, torch.bfloat16):
            free = saturated.to(dtype, copy=True).requires_grad_()
            loss = value_of([term], free, truth)
            (gradient,) = torch.autograd.grad(loss, free)
            assert loss.dtype == torch.float32 and torch.isfinite(loss.detach())
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("term", "multiclass"), cases(), ids=str)
def test_the_right_answer_costs_least(term: dict[str, Any], multiclass: bool) -> None:
    logits, truth = batch(multiclass)
    right = 20 * truth.planes - 10
    costs = [float(value_of([term], each, truth)) for each in (right, logits, -right)]
    assert costs[0] < costs[1]
    if term["name"] != "affinity":  # which sees boundaries, and not what is on which side
        assert costs[1] < costs[2]


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "ce"])
def test_an_image_without_valid_pixels_changes_no_mean(name: str) -> None:
    logits, truth = batch(multiclass=False)
    valid = truth.valid.clone()
    valid[1] = 0
    term: dict[str, Any] = {"name": name}
    term |= {"batch": False} if "batch" in type(terms(name)[0]).model_fields else {}
    both = value_of([term], logits, Truth(truth.planes, valid, False))
    alone = value_of([term], logits[:1], Truth(truth.planes[:1], valid[:1], False))
    assert float(both) == pytest.approx(float(alone), rel=1e-5)


def test_weights_add_up_and_half_precision_is_summed_in_full() -> None:
    logits, truth = batch(multiclass=False)
    total = value_of({"bce": 2.0, "dice": 0.5}, logits, truth)
    parts = [value_of(name, logits, truth) for name in ("bce", "dice")]
    assert float(total) == pytest.approx(2 * float(parts[0]) + 0.5 * float(parts[1]))
    large = torch.zeros(1, 1, 600, 600, dtype=torch.float16)
    ones = torch.ones(1, 1, 600, 600)
    for name in ("dice", "mcc", "lovasz", "boundary_dou"):
        assert torch.isfinite(value_of(name, large, Truth(ones, ones, False)))


def test_maps_of_the_truth_are_made_once_for_all_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.models.losses import truth as module

    calls: list[int] = []
    real = module.Sides.of
    monkeypatch.setattr(module.Sides, "of", lambda *given: (calls.append(1), real(*given))[1])
    logits, truth = batch(multiclass=False)
    loss = [{"name": "hausdorff", "one_sided": True}, "boundary", "skeleton_recall"]
    for _ in range(2):
        value_of(loss, logits, truth)
    assert len(calls) == 1
