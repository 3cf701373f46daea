from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.inference.merge import RunningMerge
from pipeline.inference.tta import View, group_by_shape, parse_tta
from pipeline.inference.view_steps import GROUPS, SYMMETRIES

SIZES = [(1, 1), (1, 7), (5, 1), (4, 4), (6, 9), (13, 8)]
RESIZING = ["scale:0.5", "scale:0.75", "scale:1.25", "scale:2", "rot90+scale:1.5+vflip"]
VALUES = ["brightness:0.1", "brightness:-0.3", "gamma:0.9", "gamma:2", "hflip+gamma:1.1"]


def images_of(size: tuple[int, int], seed: int = 0) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(seed))


def single(name: str) -> View:
    (view,) = parse_tta([name])
    return view


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """A model that looks at neighbours and cares which way is up."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 5, padding=2))
    return nn.Sequential(layers, nn.Sigmoid()).eval().requires_grad_(False)


def merged(model: nn.Module, names: list[str], images: Tensor) -> Tensor:
    """Stacked the way a predictor does: one batch per output shape."""
    size = (images.shape[-2], images.shape[-1])
    total = RunningMerge("arithmetic", multiclass=False)
    for group in group_by_shape(parse_tta(names), size):
        batch = torch.cat([view.apply(images) for view in group])
        for view, maps in zip(group, model(batch).chunk(len(group)), strict=True):
            total.add(view.undo(maps, size))
    return total.result()


# --- round trips -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SYMMETRIES)
def test_symmetry_is_undone_bit_for_bit(name: str, size: tuple[int, int]) -> None:
    view, images = single(name), images_of(size)
    changed = view.apply(images)
    assert tuple(changed.shape[-2:]) == view.output_size(size)
    assert torch.equal(view.undo(changed, size), images)


@pytest.mark.parametrize("size", SIZES)
def test_chains_of_symmetries_are_undone_in_reverse(size: tuple[int, int]) -> None:
    images = images_of(size)
    for first, second, third in itertools.product(SYMMETRIES, repeat=3):
        view = single(f"{first}+{second}+{third}")
        assert torch.equal(view.undo(view.apply(images), size), images), view.name


@pytest.mark.parametrize("name", SYMMETRIES)
def test_ground_truth_comes_back_identical(name: str) -> None:
    truth = (images_of((11, 17), seed=3) > 0.5).float()
    view = single(name)
    assert torch.equal(view.undo(view.apply(truth), (11, 17)), truth)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RESIZING)
def test_resizing_view_comes_back_at_the_exact_size_within_range(
    name: str, size: tuple[int, int]
) -> None:
    view, images = single(name), images_of(size)
    changed = view.apply(images)
    back = view.undo(changed, size)
    assert tuple(changed.shape[-2:]) == view.output_size(size)
    assert back.shape == images.shape
    assert back.min() >= 0 and back.max() <= 1


@pytest.mark.parametrize("side", [7, 14, 33, 59])
def test_scale_keeps_constant_maps_inside_the_unit_interval(side: int) -> None:
    for factor in ("0.3", "0.75", "1.1", "1.25", "3.7"):
        ones = torch.ones(1, 1, side, side + 3)
        changed = single(f"scale:{factor}").apply(ones)
        assert changed.max() <= 1 and torch.allclose(changed, torch.ones(()))


def test_scale_keeps_a_linear_ramp_where_it_was() -> None:
    """Pixel centres stay put: half a pixel of shift would show on a ramp of 0.02 a pixel."""
    ramp = torch.linspace(0.1, 0.9, 41).expand(1, 1, 31, 41).contiguous()
    for factor in ("0.75", "1.25", "1.5"):
        view = single(f"scale:{factor}")
        back = view.undo(view.apply(ramp), (31, 41))
        assert torch.allclose(back[..., 4:-4], ramp[..., 4:-4], atol=1e-3), factor


# --- meaning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slow"),
    [
        ("identity", lambda a: a),
        ("hflip", np.fliplr),
        ("vflip", np.flipud),
        ("rot90", np.rot90),
        ("rot180", lambda a: np.rot90(a, 2)),
        ("rot270", lambda a: np.rot90(a, 3)),
        ("transpose", np.transpose),
        ("antitranspose", lambda a: np.rot90(a, 2).T),
    ],
)
def test_symmetry_is_what_numpy_calls_it(name: str, slow) -> None:
    image = images_of((5, 8))[:1, :1]
    assert np.array_equal(single(name).apply(image)[0, 0].numpy(), slow(image[0, 0].numpy()))


def test_d4_is_closed_and_every_product_is_one_of_its_own() -> None:
    square = images_of((4, 4))
    table = {name: single(name).apply(square) for name in SYMMETRIES}
    assert len({tuple(image.flatten().tolist()) for image in table.values()}) == 8
    for first, second in itertools.product(SYMMETRIES, repeat=2):
        product = single(f"{first}+{second}").apply(square)
        assert sum(torch.equal(product, image) for image in table.values()) == 1


@pytest.mark.parametrize("name", VALUES)
def test_value_changes_stay_in_range_and_leave_maps_alone(name: str) -> None:
    view, images = single(name), images_of((6, 9))
    before = images.clone()
    changed = view.apply(images)
    assert changed.min() >= 0 and changed.max() <= 1 and not torch.equal(changed, images)
    assert torch.equal(images, before)
    if "flip" not in name:
        assert torch.equal(view.undo(changed, (6, 9)), changed)


def test_value_changes_are_sums_and_powers() -> None:
    images = torch.tensor([0.0, 0.25, 0.95]).reshape(1, 1, 1, 3)
    brighter, darker, raised = parse_tta(["brightness:0.1", "brightness:-0.1", "gamma:0.5"])
    assert brighter.apply(images).flatten().tolist() == pytest.approx([0.1, 0.35, 1.0])
    assert darker.apply(images).flatten().tolist() == pytest.approx([0.0, 0.15, 0.85])
    assert raised.apply(images).flatten().tolist() == pytest.approx([0.0, 0.5, 0.95**0.5])


# --- the list ----------------------------------------------------------------------------------


def test_groups_are_spelled_out_in_order() -> None:
    names = [view.name for view in parse_tta(["flips", "flips+scale:0.5"])]
    assert names == [*GROUPS["flips"], *(f"{name}+scale:0.5" for name in GROUPS["flips"])]
    assert {view.name for view in parse_tta(["d4"])} == set(SYMMETRIES)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("hflpi", "hflip"),
        ("rot9", "rot90"),
        ("scale1.25", "scale:1.25"),
        ("scale", "scale:1.25"),
        ("hflip+gama:0.9", "gamma:0.9"),
        ("d44", "d4"),
        ("hflip:2", "hflip"),
        ("", "hflip"),
    ],
)
def test_unknown_name_is_quoted_with_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tta(["identity", wrong])
    assert f"in '{wrong}'" in str(caught.value)
    if wrong:
        assert f"did you mean '{nearest}'" in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["scale:0", "scale:-1", "scale:x", "scale:", "scale:nan", "scale:1", "gamma:inf"]
)
def test_value_out_of_range_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=f"'{wrong}'.*must be a number"):
        parse_tta([f"hflip+{wrong}"])


@pytest.mark.parametrize(
    "names",
    [
        ["hflip", "identity", "hflip"],
        ["rot180", "hflip+vflip"],
        ["d4", "hflip"],
        ["flips", "rot90+rot90"],
        ["scale:1.25", "scale:1.250"],
        ["hflip+scale:1.25", "scale:1.25+hflip"],
        ["identity", "rot90+rot270"],
    ],
)
def test_views_that_would_count_twice_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="same view"):
        parse_tta(names)


def test_empty_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="identity"):
        parse_tta([])


def test_views_travel_to_other_processes() -> None:
    views = parse_tta(["d4", "hflip+scale:1.25", "gamma:0.9"])
    assert pickle.loads(pickle.dumps(views)) == views


@pytest.mark.parametrize(("size", "groups"), [((4, 4), [8]), ((4, 6), [4, 4])])
def test_views_of_one_shape_share_a_batch(size: tuple[int, int], groups: list[int]) -> None:
    views = parse_tta(["d4"])
    grouped = group_by_shape(views, size)
    assert [len(group) for group in grouped] == groups
    assert sorted(view.name for group in grouped for view in group) == sorted(SYMMETRIES)
    assert all(len({view.output_size(size) for view in group}) == 1 for group in grouped)


# --- against others ----------------------------------------------------------------------------


def test_stacked_views_equal_a_slow_loop(model: nn.Module) -> None:
    images = images_of((12, 20))
    names = ["d4", "hflip+scale:1.25", "gamma:0.9"]
    slow = []
    for image in images:
        maps = []
        for view in parse_tta(names):
            maps.append(view.undo(model(view.apply(image[None])), (12, 20))[0].double())
        slow.append(torch.stack(maps).mean(0))
    assert torch.allclose(merged(model, names, images).double(), torch.stack(slow), atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_flip_and_d4_means_equal_ttach(model: nn.Module, size: tuple[int, int]) -> None:
    ttach = pytest.importorskip("ttach")
    images = images_of(size)
    for names, theirs in (
        (["identity", "hflip"], ttach.aliases.hflip_transform()),
        (["flips"], ttach.aliases.flip_transform()),
        (["d4"], ttach.aliases.d4_transform()),
    ):
        expected = ttach.SegmentationTTAWrapper(model, theirs, merge_mode="mean")(images)
        assert torch.allclose(merged(model, names, images), expected, atol=1e-6), names


def test_scale_means_equal_ttach_where_its_sizes_come_back(model: nn.Module) -> None:
    ttach = pytest.importorskip("ttach")
    images = images_of((16, 24))
    scales = ttach.Scale([0.5, 1, 1.25, 2], interpolation="bilinear", align_corners=False)
    theirs = ttach.Compose([ttach.HorizontalFlip(), scales])
    expected = ttach.SegmentationTTAWrapper(model, theirs, merge_mode="mean")(images)
    names = ["identity", "hflip"]
    names += [f"{flip}+scale:{s}" for flip in ("identity", "hflip") for s in (0.5, 1.25, 2)]
    assert torch.allclose(merged(model, names, images), expected, atol=1e-6)
