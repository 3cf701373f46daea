"""The heart of the matter: features untouched, on the grid, in their place."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import Tensor, nn

from pipeline.models.grafting import build
from pipeline.models.grafting.build import Wish, make_graft
from pipeline.models.grafting.graft import cut, join
from pipeline.models.grafting.probe import features_forward, recorded
from tests.helpers.small_models import graft

FAST = (
    "test_resnet",
    "test_efficientnet",
    "test_convnext",
    "test_vit",
    "test_mambaout",
    "test_coatnet",
    "inception_v3",
    "densenet121",
    "tests.helpers.small_models:valid_toy",
)


def fed_to(network: nn.Module, images: Tensor) -> Tensor:
    """What the backbone itself is given when the graft sees `images`."""
    seen: list[Tensor] = []
    hook = network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    forward = network.forward_features if hasattr(network, "forward_features") else None
    if forward is not None:
        network.forward_features = lambda given: (seen.append(given), forward(given))[1]
    try:
        graft_of = next(g for g in _running if g.backbone is network)
        graft_of(images)
    finally:
        hook.remove()
        if forward is not None:
            del network.forward_features
    return seen[0]


_running: list[nn.Module] = []


@pytest.mark.parametrize("encoder", [name for name in FAST if ":" not in name])
def test_features_are_those_of_the_untouched_network(encoder: str) -> None:
    grafted = graft(encoder)
    step = grafted.plan.step
    images = torch.rand(1, 3, step, 2 * step)
    _running[:] = [grafted]
    with torch.no_grad():
        given = fed_to(grafted.backbone, images)
        with recorded(grafted.backbone, grafted.plan.modules) as tapped:
            grafted(images)
        options = {"dynamic_img_size": True} if encoder.startswith("test_vit") else {}
        whole = timm.create_model(encoder, **options).eval()
        whole.load_state_dict(grafted.backbone.state_dict(), strict=False)
        with recorded(whole, grafted.plan.modules) as original:
            features_forward(whole)(given)
    for module in grafted.plan.modules:
        assert torch.equal(tapped[module], original[module]), module


@pytest.mark.parametrize("encoder", FAST)
@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_features_lie_on_the_grid(encoder: str, steps: tuple[int, int]) -> None:
    grafted = graft(encoder)
    height, width = (count * grafted.plan.step for count in steps)
    with torch.no_grad():
        features = grafted(torch.rand(2, 3, height, width))
    assert features
    for level, feature in features.items():
        assert feature.shape == (2, grafted.channels[level], height // level, width // level)


def centre_of_mass(encoder: str, level: int, column: int, size: tuple[int, int]) -> float:
    """The column that the cells of `column` see: weighted by squared gradient."""
    generator = torch.Generator().manual_seed(0)
    # noise: in a flat image all maxima of a pooling tie, and the gradient goes to the leftmost
    images = torch.rand((1, 3, *size), generator=generator).requires_grad_()
    feature = graft(encoder)(images)[level]
    weights = torch.randn(feature.shape[1:3], generator=generator)
    (feature[0, :, :, column] * weights).sum().backward()
    assert images.grad is not None
    mass = images.grad[0].double().square().sum(dim=(0, 1))
    return float((mass * torch.arange(size[1])).sum() / mass.sum())


@pytest.mark.parametrize(
    ("encoder", "level", "size"),
    [
        ("test_resnet", 8, (64, 512)),
        ("test_efficientnet", 16, (64, 1024)),
        ("test_convnext", 32, (64, 512)),
        ("test_vit", 16, (64, 256)),
        ("densenet121", 4, (64, 256)),
        ("inception_v3", 2, (32, 512)),
        ("inception_v3", 8, (32, 512)),
        ("tests.helpers.small_models:valid_toy", 8, (64, 512)),
        ("hiera_tiny_224", 4, (224, 224)),
    ],
)
def test_pixels_stay_registered(encoder: str, level: int, size: tuple[int, int]) -> None:
    """A dot's feature does not drift: the error is the same on the left and on the right."""
    cells = size[1] // level
    left, right = cells // 3, cells - cells // 3
    errors = [
        centre_of_mass(encoder, level, column, size) - (column * level + (level - 1) / 2)
        for column in (left, right)
    ]
    assert abs(errors[1] - errors[0]) < 0.3 * level
    assert max(abs(error) for error in errors) < level


def test_stretching_would_be_seen() -> None:
    """Inception's own map, stretched onto the grid, drifts by cells: the measure can fail."""
    backbone = copy.deepcopy(graft("inception_v3")).backbone
    images = torch.full((1, 3, 96, 512), 0.5, requires_grad=True)
    with recorded(backbone, ["Mixed_5d"]) as outputs:
        backbone.forward_features(images)
    stretched = nn.functional.interpolate(outputs["Mixed_5d"], (12, 64), mode="bilinear")
    errors = []
    for column in (10, 54):
        (gradient,) = torch.autograd.grad(
            stretched[0, :, :, column].sum(), images, retain_graph=True
        )
        mass = gradient[0].double().square().sum(dim=(0, 1))
        centre = float((mass * torch.arange(512)).sum() / mass.sum())
        errors.append(centre - (column * 8 + 3.5))
    assert abs(errors[1] - errors[0]) > 8


def test_what_lies_beyond_is_joined_to_the_deepest_level() -> None:
    grafted = graft("efficientvit_m0")
    plain = dict(zip(grafted.plan.levels, grafted.plan.taps, strict=True))
    assert grafted.plan.step == 64
    with torch.no_grad():
        features = grafted(torch.rand(1, 3, 64, 128))
    assert set(features) == {2, 4, 8, 16, 32}
    together = plain[32].shape.channels + plain[64].shape.channels
    assert features[32].shape == (1, together, 2, 4)
    assert grafted.channels[32] == together


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (4, 1)])
def test_tiles_come_back(rows: int, columns: int) -> None:
    images = torch.rand(2, 3, 8 * rows, 4 * columns)
    tiles = cut(images, rows, columns)
    assert tiles.shape == (2 * rows * columns, 3, 8, 4)
    assert torch.equal(tiles[columns - 1], images[0, :, :8, -4:])
    assert torch.equal(join(tiles, rows, columns), images)


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_vit", "inception_v3"])
def test_nothing_unused_is_left(encoder: str) -> None:
    grafted = copy.deepcopy(graft(encoder))
    step = grafted.plan.step
    features = grafted(torch.rand(1, 3, step, step))
    sum(feature.square().mean() for feature in features.values()).backward()
    unused = [name for name, p in grafted.named_parameters() if p.grad is None]
    assert not unused


def test_a_copy_keeps_its_own_features() -> None:
    original = graft("test_resnet")
    twin = copy.deepcopy(original)
    for parameter in twin.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        before = original(images)
        twin(images)
        assert all(torch.equal(original(images)[level], before[level]) for level in before)
        assert not torch.equal(twin(images)[32], before[32])


@pytest.mark.parametrize(
    "encoder",
    [
        "test_resnet",
        "test_vit",
        "levit_128s",
        *(pytest.param(heavy, marks=pytest.mark.slow) for heavy in ("inception_v3", "vgg11")),
    ],
)
def test_built_again_without_dry_runs_it_is_the_same(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "known_layouts", {})

    def built() -> tuple[nn.Module, Tensor]:
        torch.manual_seed(3)
        return make_graft(encoder, Wish()), torch.rand(4)

    (first, drawn_after), (second, drawn_again) = built(), built()
    assert list(build.known_layouts) == [(encoder, 64)]
    assert torch.equal(drawn_after, drawn_again)
    assert first.plan == second.plan
    for ones, others in (
        (first.state_dict(), second.state_dict()),
        (dict(first.named_parameters()), dict(second.named_parameters())),
    ):
        assert list(ones) == list(others)
        assert all(torch.equal(ones[name], others[name]) for name in ones)
        assert [each.requires_grad for each in ones.values()] == [
            each.requires_grad for each in others.values()
        ]


def test_a_factory_of_ones_own_is_looked_at_each_time() -> None:
    make_graft("tests.helpers.small_models:valid_toy", Wish())
    assert not [name for name, _ in build.known_layouts if ":" in name]
