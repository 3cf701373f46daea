"""Images in tiles: equal to tiles predicted one by one, in bands, within memory that runs out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config import InferConfig, TileConfig
from pipeline.data.resize import resize_image, working_size
from pipeline.errors import ResourceError
from pipeline.inference import bands, device_memory, passes, tiled
from pipeline.inference.bands import BandMerger
from pipeline.inference.map_resize import resized_bands
from pipeline.inference.merge import RunningMerge
from pipeline.inference.passes import Passes
from pipeline.inference.predictor import Predictor
from pipeline.inference.tiles import plan_tiles, tile_weights

TILE = TileConfig(size=(32, 48), overlap=0.3)


class Wide(nn.Module):
    """Sees a neighbourhood; no two of its answers are symmetric."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 7, padding=3)

    def forward(self, images: Tensor) -> Tensor:
        return 3 * self.convolution(images)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Wide().eval()


def predictor(networks: list[nn.Module], **options: Any) -> Predictor:
    multiclass, resize = options.pop("multiclass", False), options.pop("resize", None)
    infer = InferConfig(**{"tta": ("identity",), **options})
    return Predictor(networks, infer, resize=resize, multiclass=multiclass, scale=255, device="cpu")


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def one_by_one(image: np.ndarray, networks: list[nn.Module], **options: Any) -> np.ndarray:
    """The definition: each tile is predicted as an image of its own, in double precision merged."""
    size = (image.shape[0], image.shape[1])
    alone = predictor(networks, **options)
    tiles = plan_tiles(size, TILE.size, TILE.overlap)
    weights = tile_weights((tiles[0].height, tiles[0].width), TILE.weights).double().numpy()
    sums, total = np.zeros((2, *size)), np.zeros(size)
    for tile in tiles:
        (maps,) = alone.predict([image[tile.area]])
        sums[:, *tile.area] += maps * weights
        total[tile.area] += weights
    return sums / total


VIEWS = [
    ("identity",),
    ("d4",),
    ("flips", "gamma:0.8", "hflip+brightness:0.1"),
    ("identity", "scale:0.7", "hflip+scale:0.7"),
]


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("mean", ["arithmetic", "geometric", "logit"])
@pytest.mark.parametrize("tta", VIEWS)
@pytest.mark.parametrize("size", [(97, 131), (33, 49), (20, 200), (150, 40)])
def test_an_image_is_its_tiles_one_by_one(
    size: tuple[int, int], tta: tuple[str, ...], mean: str, multiclass: bool
) -> None:
    networks = [network(0), network(1)]
    options: dict[str, Any] = {"tta": tta, "mean": mean, "multiclass": multiclass}
    expected = one_by_one(image_of(*size), networks, **options)
    (maps,) = predictor(networks, tile=TILE, **options).predict([image_of(*size)])
    assert maps.shape == (2, *size) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=2e-6)


@pytest.mark.parametrize("size", [(97, 131), (64, 49)])
def test_one_view_of_one_network_is_the_sum_over_a_whole_image_bit_for_bit(
    size: tuple[int, int],
) -> None:
    image, settings_ = image_of(*size), InferConfig(tta=("identity",), tile=TILE)
    whole = Passes([network()], settings_, multiclass=False, device="cpu")
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)
    with torch.inference_mode():
        expected = whole.merged(inputs)[0].numpy()
    (maps,) = predictor([network()], tile=TILE).predict([image])
    assert (maps == expected).all()


@pytest.mark.parametrize("own", [(97, 131), (64, 200)])
@pytest.mark.parametrize("resize", [0.6, 1.7, (80, 90)])
def test_resized_images_come_back_at_their_size(
    monkeypatch: pytest.MonkeyPatch, own: tuple[int, int], resize: Any
) -> None:
    """Bands of a row or two, as those of a wide image are."""
    monkeypatch.setattr(bands, "BAND_VALUES", 700)
    image = image_of(*own)
    (maps,) = predictor([network()], tile=TILE, resize=resize).predict([image])
    small = resize_image(image, working_size(own, resize))
    seen = torch.from_numpy(one_by_one(small, [network()])).float()
    expected = F.interpolate(seen[None], size=own, mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(maps, expected.clamp(0, 1).numpy(), atol=3e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 9), st.data())
@settings(max_examples=60, deadline=None)
def test_maps_are_resized_in_bands_as_they_are_whole(
    before: int, after: int, width: int, rows: int, data: st.DataObject
) -> None:
    whole = torch.rand(2, before, data.draw(st.integers(1, 30)))
    parts = (whole[:, top : top + rows] for top in range(0, before, rows))
    found = torch.cat(list(resized_bands(parts, tuple(whole.shape[1:]), (after, width))), dim=1)  # type: ignore[arg-type]
    expected = F.interpolate(whole[None], size=(after, width), mode="bilinear")[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_rows_leave_as_soon_as_no_tile_touches_them() -> None:
    left = [band.shape[1] for band in predictor([network()], tile=TILE).bands(image_of(300, 60))]
    assert len(left) > 10 and sum(left) == 300 and max(left) <= 32


class _Windows:
    """An image that notes which rows are asked for."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.asked = pixels, list[int]()
        self.shape, self.dtype = pixels.shape, pixels.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        part = self.pixels[rows]
        self.asked.append(len(part))
        return part


def test_an_image_is_read_a_row_of_tiles_at_a_time() -> None:
    image = _Windows(image_of(300, 200))
    parts = list(predictor([network()], tile=TILE).bands(image))
    (whole,) = predictor([network()], tile=TILE).predict([image.pixels])
    assert (np.concatenate(parts, axis=1) == whole).all()
    assert set(image.asked) == {32} and len(image.asked) == len({
        tile.top for tile in plan_tiles((300, 200), TILE.size, TILE.overlap)
    })  # fmt: skip


def test_tiles_on_their_side_are_not_cut_again() -> None:
    seen: list[tuple[int, int]] = []
    upright = network()
    upright.register_forward_pre_hook(
        lambda _m, inputs: seen.append((inputs[0].shape[2], inputs[0].shape[3]))
    )
    predictor([upright], tile=TILE, tta=("d4",)).predict([image_of(100, 100)])
    assert set(seen) == {(32, 64), (64, 32)}, "padded to multiples of 32"


def _out_of_memory(*_arguments: object, **_named: object) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_fewer_tiles_go_together_where_they_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    image, tried = image_of(200, 200), list[int]()
    (expected,) = predictor([network()], tile=TILE, tta=("d4",)).predict([image])
    upload = device_memory.uploaded

    def narrow(images: Any, *rest: Any) -> Tensor:
        tried.append(len(images))
        return _out_of_memory() if len(images) > 3 else upload(images, *rest)

    monkeypatch.setattr(tiled, "uploaded", narrow)
    (maps,) = predictor([network()], tile=TILE, tta=("d4",)).predict([image])
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert tried[:3] == [8, 4, 2] and max(tried[2:]) == 2


def test_views_whose_merge_does_not_fit_go_with_fewer_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SmallMerge(RunningMerge):
        def add(self, probabilities: Tensor) -> None:
            if len(probabilities) > 2:
                _out_of_memory()
            super().add(probabilities)

    (expected,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    monkeypatch.setattr(passes, "RunningMerge", SmallMerge)
    (maps,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_a_tile_that_does_not_fit_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiled, "uploaded", _out_of_memory)
    with pytest.raises(ResourceError, match=r"one tile of 32×48 does not fit cpu; set a smaller"):
        predictor([network()], tile=TILE).predict([image_of(200, 200)])


@pytest.mark.parametrize("step", ["_allocate", "_to_host"])
def test_memory_that_runs_out_elsewhere_is_said(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    monkeypatch.setattr(BandMerger, "_divided", _out_of_memory)
    monkeypatch.setattr(BandMerger, step, _out_of_memory)
    with pytest.raises(ResourceError, match=r"one image of 200×200 .* set a smaller infer.tile"):
        predictor([network()], tile=TILE).predict([image_of(200, 200)])


def test_sums_without_room_are_an_error_with_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "zeros", _out_of_memory)
    with pytest.raises(ResourceError, match=r"2 class\(es\) of 32×200 pixels, take 102 kB"):
        predictor([network()], tile=TILE).predict([image_of(200, 200)])


def test_sums_move_to_the_host_where_a_device_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    (expected,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    divided, moved = BandMerger._divided, list[int]()
    to_host = BandMerger._to_host
    monkeypatch.setattr(
        BandMerger,
        "_divided",
        lambda self, rows: divided(self, rows) if moved else _out_of_memory(),
    )
    monkeypatch.setattr(BandMerger, "_to_host", lambda self: (moved.append(1), to_host(self))[1])
    (maps,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    assert (maps == expected).all() and moved == [1]


def test_sums_leave_a_device_that_a_single_tile_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then: before that, fewer tiles go together."""
    (expected,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    upload, left, tried = device_memory.uploaded, list[int](), list[int]()

    def full(images: Any, *rest: Any) -> Tensor:
        tried.append(len(images))
        return upload(images, *rest) if left else _out_of_memory()

    monkeypatch.setattr(tiled, "uploaded", full)
    monkeypatch.setattr(BandMerger, "leave_device", lambda _: left.append(1) or len(left) == 1)
    (maps,) = predictor([network()], tile=TILE).predict([image_of(200, 200)])
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert tried[:5] == [8, 4, 2, 1, 1] and left == [1]
