"""The predictor: equal to a slow loop, independent of batching, and exact in its bookkeeping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.config import InferConfig
from pipeline.errors import ResourceError
from pipeline.inference.precision import autocast
from pipeline.inference.predictor import Predictor


class Local(nn.Module):
    """Looks at one pixel at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 3 * self.convolution(images)


class Wide(Local):
    """Sees a neighbourhood."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 7, padding=3)


def _network(kind: type[Local] = Wide, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind().eval()


def _predictor(networks: list[nn.Module], multiclass: bool = False, **settings: Any) -> Predictor:
    resize = settings.pop("resize", None)
    config = InferConfig(**{"tta": ("identity",), **settings})
    return Predictor(
        networks, config, resize=resize, multiclass=multiclass, scale=255, device="cpu"
    )


def _images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def _slow(networks: list[nn.Module], image: np.ndarray, flips: list[list[int]], multiclass: bool):
    """Every view by every network, one at a time."""
    x = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    height, width = x.shape[2:]
    maps = []
    for flip in flips:
        pad = [-height % 32, -width % 32]
        edges = (pad[1] // 2, pad[1] - pad[1] // 2, pad[0] // 2, pad[0] - pad[0] // 2)
        view = F.pad(x.flip(flip) if flip else x, edges, mode="reflect")
        for network in networks:
            with torch.no_grad():
                logits = network(view)
            logits = logits[..., edges[2] : edges[2] + height, edges[0] : edges[0] + width]
            probabilities = logits.softmax(1) if multiclass else logits.sigmoid()
            maps.append(probabilities.flip(flip) if flip else probabilities)
    return torch.stack(maps).mean(0)[0].numpy()


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("size", [(64, 96), (40, 51), (33, 32)])
def test_views_and_networks_average_to_the_slow_loop(
    size: tuple[int, int], multiclass: bool
) -> None:
    networks = [_network(seed=0), _network(seed=1)]
    (image,) = _images(size)
    (fast,) = _predictor(networks, multiclass, tta=("flips",)).predict([image])
    slow = _slow(networks, image, [[], [3], [2], [2, 3]], multiclass)
    assert fast.shape == (2, *size) and fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow, atol=1e-6)


def test_maps_do_not_depend_on_batch_order_or_company() -> None:
    images = _images((40, 51), (64, 64), (40, 51), (17, 90), (64, 64))
    alone = [_predictor([_network()], tta=("d4",)).predict([image])[0] for image in images]
    for batch in (1, 2, 16):
        together = _predictor([_network()], tta=("d4",), batch=batch).predict(images[::-1])[::-1]
        assert all((a == b).all() for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("weights", ["gaussian", "pyramid", "uniform"])
@pytest.mark.parametrize("size", [(100, 140), (40, 200), (32, 33)])
def test_tiles_of_a_local_network_equal_the_whole_image(
    size: tuple[int, int], weights: str
) -> None:
    (image,) = _images(size)
    (whole,) = _predictor([_network(Local)], tta=("d4",)).predict([image])
    tile = {"size": (48, 64), "overlap": 0.3, "weights": weights}
    (tiled,) = _predictor([_network(Local)], tta=("d4",), tile=tile).predict([image])
    np.testing.assert_allclose(tiled, whole, atol=2e-6)


@pytest.mark.parametrize("resize", [0.5, 1.7, (64, 48)])
def test_maps_come_back_at_the_image_size(resize: float | tuple[int, int]) -> None:
    images = _images((50, 70), (31, 41))
    maps = _predictor([_network()], resize=resize, tta=("identity", "hflip")).predict(images)
    assert [each.shape for each in maps] == [(2, 50, 70), (2, 31, 41)]
    assert all(each.min() >= 0 and each.max() <= 1 for each in maps)


class Hungry(Local):
    """Runs out of memory above a number of pictures a pass."""

    most = 2
    passes: list[int]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images)


def test_out_of_memory_halves_the_pass_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    hungry = _network(Hungry)
    hungry.passes = []
    (image,) = _images((32, 32))
    predictor = _predictor([hungry], tta=("d4",))
    (fed,) = predictor.predict([image])
    (expected,) = _predictor([_network(Local)], tta=("d4",)).predict([image])
    np.testing.assert_allclose(fed, expected, atol=1e-6)
    assert hungry.passes == [8, 4, 2, 2, 2, 2]
    hungry.most, hungry.passes = 0, []
    with pytest.raises(ResourceError, match=r"infer\.tile"):
        predictor.predict([image])


@pytest.mark.parametrize("mean", ["arithmetic", "geometric", "logit"])
def test_the_kind_of_mean_is_the_configured_one(mean: str) -> None:
    networks = [_network(Local, seed) for seed in range(3)]
    (image,) = _images((32, 32))
    singles = np.stack([_predictor([n]).predict([image])[0] for n in networks]).astype(np.float64)
    expected = {
        "arithmetic": lambda p: p.mean(0),
        "geometric": lambda p: np.exp(np.log(p).mean(0)),
        "logit": lambda p: 1 / (1 + np.exp(-np.log(p / (1 - p)).mean(0))),
    }[mean](singles)
    (merged,) = _predictor(networks, mean=mean).predict([image])
    np.testing.assert_allclose(merged, expected, atol=1e-5)


@pytest.mark.parametrize("backend", [torch.backends.cudnn, torch.backends.cuda.matmul])
def test_fp32_is_not_rounded_to_a_coarser_format(backend: Any) -> None:
    """PyTorch lets cuDNN compute it in TF32, 10 bits of mantissa, unless told otherwise, and
    whoever asks for fast matrix products lets cuBLAS.
    """
    before = backend.allow_tf32
    backend.allow_tf32 = True
    try:
        with pytest.raises(ZeroDivisionError), autocast(torch.device("cpu"), "fp32"):
            assert not backend.allow_tf32
            raise ZeroDivisionError
        assert backend.allow_tf32
    finally:
        backend.allow_tf32 = before


def test_more_views_than_a_pass_holds_are_not_stacked() -> None:
    passes: list[int] = []
    network = _network(Local)
    network.register_forward_pre_hook(lambda _module, inputs: passes.append(len(inputs[0])))
    (image,) = _images((32, 32))
    twelve = [f"flips+brightness:{shift}" for shift in (0.1, 0.2, 0.3)]
    (maps,) = _predictor([network], tta=twelve).predict([image])
    assert passes == [8, 4]
    singles = [
        _predictor([network], tta=(f"flips+brightness:{shift}",)) for shift in (0.1, 0.2, 0.3)
    ]
    expected = np.mean([single.predict([image])[0] for single in singles], axis=0)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
