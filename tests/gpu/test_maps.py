"""Maps of a GPU are those of a CPU, however they are computed, in however little memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.config import InferConfig, ModelSpec
from pipeline.config.choices import MapDtype
from pipeline.errors import ResourceError
from pipeline.inference.device_memory import fetched_later
from pipeline.inference.predictor import Predictor
from pipeline.maps.quantise import quantise
from pipeline.models.factory import build_model

pytestmark = pytest.mark.gpu
HALF_STEP = 1 / 510
DECODERS = ("linknet", "unet", "fpn", "pspnet", "deeplabv3plus")


class Decided(nn.Module):
    """A network of random weights whose logits are spread as a trained one's are."""

    def __init__(self, decoder: str, classes: int = 2) -> None:
        super().__init__()
        torch.manual_seed(0)
        spec = ModelSpec(decoder=decoder, encoder="test_resnet", weights=None)
        self.network = build_model(spec, classes=classes).eval()
        with torch.inference_mode():
            logits = self.network(torch.rand(1, 3, 64, 96))
        self.middle, self.spread = float(logits.mean()), float(logits.std())

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(images)
        assert isinstance(logits, Tensor)
        return (logits - self.middle) * (3 / self.spread)


def _predictor(
    network: nn.Module,
    device: str,
    multiclass: bool = False,
    stored: MapDtype | None = None,
    **settings: Any,
) -> Predictor:
    config = InferConfig(**{"tta": ("identity",), "precision": "fp32", **settings})
    return Predictor(
        [copy.deepcopy(network)],
        config,
        resize=None,
        multiclass=multiclass,
        scale=255,
        device=device,
        stored=stored,
    )


def _images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def _assert_near(maps: list[np.ndarray], others: list[np.ndarray], most: float) -> None:
    for mine, theirs in zip(maps, others, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == np.float32
        assert np.ptp(mine) > 0.5, "maps that say nothing would agree by themselves"
        assert np.abs(mine - theirs).max() < most


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_gpu_and_a_cpu_make_the_same_maps(device: str, decoder: str) -> None:
    """All eight symmetries in tiles, odd sizes, two images of one size in a batch."""
    images = _images((45, 61), (97, 131), (45, 61))
    network = Decided(decoder)
    settings = {"tta": ("d4",), "tile": {"size": (64, 96)}, "batch": 4}
    maps = _predictor(network, device, **settings).predict(images)
    _assert_near(maps, _predictor(network, "cpu", **settings).predict(images), HALF_STEP)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_a_gpu_quantises_as_a_cpu_does(device: str, dtype: MapDtype) -> None:
    images = _images((45, 61), (97, 131), (45, 61))
    network = Decided("linknet")
    for settings in ({"batch": 4}, {"batch": 4, "tile": {"size": (64, 96)}}):
        maps = _predictor(network, device, **settings).predict(images)
        stored = _predictor(network, device, stored=dtype, **settings).predict(images)
        for mine, whole in zip(stored, maps, strict=True):
            assert mine.dtype == dtype
            np.testing.assert_array_equal(mine, quantise(whole, dtype))


def test_what_is_no_probability_comes_as_it_is(device: str) -> None:
    maps = torch.tensor([0.5, float("nan")], device=device)
    fetched = fetched_later(maps, "uint8")()
    assert fetched.dtype == np.float32 and np.isnan(fetched[1])


def test_multiclass_classes_and_scaled_views(device: str) -> None:
    images = _images((45, 61), (97, 131))
    network = Decided("unet", classes=3)
    settings = {"tta": ("flips", "scale:1.25"), "mean": "geometric", "multiclass": True}
    maps = _predictor(network, device, **settings).predict(images)
    _assert_near(maps, _predictor(network, "cpu", **settings).predict(images), HALF_STEP)
    for each in maps:
        np.testing.assert_allclose(each.sum(axis=0), 1, atol=1e-5)


def test_the_layout_in_memory_changes_nothing(device: str) -> None:
    images = _images((97, 131), (97, 131))
    last, first = (
        _predictor(Decided("linknet"), device, channels_last=layout).predict(images)
        for layout in (True, False)
    )
    _assert_near(last, first, HALF_STEP)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_near(device: str, precision: str) -> None:
    images = _images((97, 131))
    coarse = _predictor(Decided("linknet"), device, precision=precision).predict(images)
    exact = _predictor(Decided("linknet"), device).predict(images)
    _assert_near(coarse, exact, 0.1)
    assert np.abs(coarse[0] - exact[0]).mean() < 0.01


def test_a_compiled_network_makes_the_same_maps(device: str) -> None:
    images = _images((97, 131), (97, 131))
    compiled = _predictor(Decided("linknet"), device, compile=True).predict(images)
    _assert_near(compiled, _predictor(Decided("linknet"), device).predict(images), HALF_STEP)


def test_too_little_memory_for_a_batch_changes_nothing(device: str) -> None:
    """For real on a GPU, whose memory is limited to less than the batch takes."""
    images = _images(*[(509, 517)] * 8)
    network = Decided("unet")
    expected, whole = _predicted_and_peak(network, device, images, batch=8)
    _, one = _predicted_and_peak(network, device, images[:1], batch=1)
    passes: list[int] = []
    network.register_forward_pre_hook(lambda _module, inputs: passes.append(len(inputs[0])))
    predictor = _predictor(network, device, batch=8)
    with _limited(device, one + one // 2):  # less than eight images' activations, in any case
        maps = predictor.predict(images)
    _assert_near(maps, expected, HALF_STEP)
    if device != "cpu":
        assert passes[0] == 8 and passes[-1] < 8, (passes, one, whole)


def _predicted_and_peak(
    network: nn.Module, device: str, images: list[np.ndarray], batch: int
) -> tuple[list[np.ndarray], int]:
    """Maps, and the most bytes of the device that they took."""
    predictor = _predictor(network, device, batch=batch)
    if device == "cpu":
        return predictor.predict(images), 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    maps = predictor.predict(images)
    return maps, torch.cuda.max_memory_reserved()


@contextmanager
def _limited(device: str, most: int) -> Iterator[None]:
    """A device of `most` bytes; nothing on a CPU."""
    if device == "cpu":
        yield
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(most / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def test_an_image_of_30000_pixels_width_fits_two_gibibytes(device: str) -> None:
    """All symmetries and three classes; less of it on a CPU, whose memory cannot be limited."""
    size, side = ((100, 700), 64) if device == "cpu" else ((1500, 30_000), 1024)
    network = Decided("unet", classes=3)
    predictor = _predictor(network, device, tta=("d4",), tile=(side, side))
    (image,) = _images(size)
    with _limited(device, 2 * 2**30):
        (maps,) = predictor.predict([image])
    assert maps.shape == (3, *size) and np.isfinite(maps).all() and np.ptp(maps) > 0.5


def test_sums_leave_a_device_that_a_tile_needs(device: str) -> None:
    """With a limit that holds one tile's activations, or the sums of a wide row, not both."""
    size = (150, 700) if device == "cpu" else (300, 30_000)
    (image,), network = _images(size), Decided("unet")
    settings = {"tile": {"size": (128, 128), "overlap": 0.1}, "batch": 1}
    expected = _predictor(network, device, **settings).predict([image])
    _, one = _predicted_and_peak(network, device, _images((128, 128)), batch=1)
    predictor = _predictor(network, device, **settings)
    with _limited(device, one + 2**23):
        maps = predictor.predict([image])
    _assert_near(maps, expected, HALF_STEP)


def test_no_memory_at_all_is_one_clear_error(device: str) -> None:
    if device == "cpu":
        pytest.skip("a CPU's memory cannot be limited here")
    predictor = _predictor(Decided("unet"), device)
    images = _images((1021, 1023))
    with (
        _limited(device, torch.cuda.memory_allocated(device) + 2**22),
        pytest.raises(ResourceError, match=r"one image of 1021×1023 does not fit cuda:0; set"),
    ):
        predictor.predict(images)
    assert predictor.predict(_images((45, 61)))[0].shape == (2, 45, 61)


def test_the_host_does_not_wait_for_the_device_between_passes(device: str) -> None:
    """Where it does, the device idles while the host prepares; CUDA reports every such wait. (An
    image in tiles is waited for as often as rows of it are finished.)
    """
    images = _images((97, 131), (97, 131))
    predictor = _predictor(Decided("linknet"), device, tta=("flips",))
    expected = predictor.predict(images)
    if device != "cpu":
        torch.cuda.set_sync_debug_mode("error")
    try:
        finish = predictor.start(images)
    finally:
        if device != "cpu":
            torch.cuda.set_sync_debug_mode("default")
    _assert_near(finish(), expected, HALF_STEP)
