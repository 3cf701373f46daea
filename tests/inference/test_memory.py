"""Less memory than a pass wants: told from other errors, freed before the next try, survived."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.config import InferConfig
from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory
from pipeline.inference import passes
from pipeline.inference.device_memory import fetched_later, fitting
from pipeline.inference.merge import RunningMerge
from pipeline.inference.predictor import Predictor


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
)
def test_every_way_to_say_that_memory_is_out(error: Exception) -> None:
    def fail() -> None:
        raise error

    assert is_out_of_memory(error)
    assert fitting(fail) is None


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: device-side assert triggered"), ValueError("a bug")]
)
def test_other_errors_are_no_lack_of_memory(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        fitting(fail)


def test_what_a_failed_try_held_is_gone_when_the_cache_is_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[0]() is not None))

    def greedy() -> None:
        activation = torch.zeros(3)
        held.append(weakref.ref(activation))
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert fitting(greedy) is None
    assert alive == [False]


def test_maps_are_fetched_as_they_are() -> None:
    maps = torch.rand(2, 3, 4, 5)
    assert (fetched_later(maps)() == maps.numpy()).all()


class Small(nn.Module):
    """Runs out of memory whatever its pass is, while `full` says so."""

    full = False

    def forward(self, images: Tensor) -> Tensor:
        if self.full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return images[:, :1] * 4 - 2


def _predictor(network: nn.Module) -> Predictor:
    settings = InferConfig(tta=("identity", "hflip"))
    return Predictor([network], settings, resize=None, multiclass=False, scale=255, device="cpu")


def test_fewer_images_go_together_where_their_maps_do_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An image's maps fit, but not those of two: no pass is to blame."""
    tried: list[int] = []

    class SmallMerge(RunningMerge):
        def add(self, probabilities: Tensor) -> None:
            tried.append(len(probabilities))
            if len(probabilities) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            super().add(probabilities)

    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (40, 51, 3), dtype=np.uint8) for _ in range(5)]
    expected = _predictor(Small()).predict(images)
    monkeypatch.setattr(passes, "RunningMerge", SmallMerge)
    small = _predictor(Small())
    small.images = 5
    for mine, theirs in zip(small.predict(images), expected, strict=True):
        assert (mine == theirs).all()
    assert tried == [5, 2, *[1, 1] * 5], "a view at a time"


def test_one_image_that_does_not_fit_is_an_error_with_its_size_and_what_to_do() -> None:
    network = Small()
    network.full = True
    with pytest.raises(ResourceError, match=r"one image of 40×51 does not fit cpu; set infer.tile"):
        _predictor(network).predict([np.zeros((40, 51, 3), np.uint8)])
