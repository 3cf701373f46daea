"""Options of decoders: each builds, learns, keeps places, and is what its paper or code has."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from pipeline.channels import RGB
from pipeline.errors import ConfigError
from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.attention import NonLocal, Scse
from pipeline.models.decoders.enlarging import enlarging
from pipeline.models.decoders.parts import Features
from pipeline.models.decoders.registry import DECODERS, build_parts
from pipeline.models.encoder import Encoder
from pipeline.models.segmentation import SegmentationModel
from tests.helpers.small_models import graft
from tests.helpers.translation import MOVED, answered_shift

OPTIONS: list[tuple[str, dict[str, object]]] = [
    ("gcn", {"k": 15}),
    ("linknet", {"links": 4}),
    ("linknet", {"upsampling": "resize"}),
    ("linknet", {"scse": True, "non_local": True, "upsampling": "shuffle"}),
    ("dlinknet", {"tail": "published", "dilation": 16, "non_local": True}),
    ("dlinknet", {"tail": "published", "links": 4, "upsampling": "bilinear", "scse": True}),
    ("unet", {"scse": True, "non_local": True}),
    ("unet", {"upsampling": "transposed"}),
    ("unet", {"upsampling": "shuffle"}),
    ("unetplusplus", {"scse": True, "non_local": True}),
    ("dpt", {"scse": True, "non_local": True}),
    ("pspnet", {"tail": "published"}),
    ("pspnet", {"align": "smp"}),
]
IDS = ["-".join([name, *map(str, options.values())]) for name, options in OPTIONS]
UPSAMPLINGS = ("transposed", "bilinear", "resize", "shuffle")


def optioned(
    decoder: str, options: Mapping[str, object], encoder: str = "test_resnet"
) -> SegmentationModel:
    """A model with two classes on the shared graft of `encoder`, always the same."""
    backbone = Encoder(graft(encoder), RGB, finest=DECODERS[decoder].finest)
    features = Features(backbone.channels, backbone.output_stride)
    torch.manual_seed(0)
    return SegmentationModel(backbone, build_parts(decoder, features, 2, options)).eval()


@pytest.mark.parametrize(("decoder", "options"), OPTIONS, ids=IDS)
def test_one_image_of_any_size_trains(decoder: str, options: dict[str, object]) -> None:
    network = optioned(decoder, options)
    network.decoder.train()
    logits = network(torch.rand(1, 3, 101, 75))
    assert logits.shape == (1, 2, 101, 75)
    parts = nn.ModuleList([network.decoder, network.head])
    parts.zero_grad()
    logits.square().mean().backward()
    gradients = {name: each.grad for name, each in parts.named_parameters()}
    assert not [name for name, each in gradients.items() if each is None]
    assert all(each.isfinite().all() for each in gradients.values() if each is not None)


@pytest.mark.parametrize(("decoder", "options"), OPTIONS, ids=IDS)
def test_a_translation_moves_the_output_along(decoder: str, options: dict[str, object]) -> None:
    assert answered_shift(optioned(decoder, options), 32, 512) == pytest.approx(MOVED, abs=4)


@pytest.mark.parametrize(("decoder", "options"), OPTIONS, ids=IDS)
def test_levels_stay_where_they_are(decoder: str, options: dict[str, object]) -> None:
    """Deep supervision finds its levels, each half as large as the one before."""
    network = optioned(decoder, options)
    levels = DECODERS[decoder].levels
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad(), tapped(network.decoder, levels) as found:
        last = network.decoder([images, *network.encoder(images)])
    sides = [each.shape[2] for each in (last, *found)]
    assert len(found) == len(levels)
    assert all(one >= 2 * other for one, other in itertools.pairwise(sides))
    assert all(one == 2 * other for one, other in itertools.pairwise(sides[1:]))


@pytest.mark.parametrize("k", [0, -3, 8])
def test_a_kernel_of_gcn_has_a_centre(k: int) -> None:
    with pytest.raises(ConfigError, match=r"options\.k: .*odd"):
        build_parts("gcn", Features([8] * 5), 2, {"k": k})


def test_k_is_the_side_of_gcn_s_kernels() -> None:
    parts = build_parts("gcn", Features([8] * 5), 2, {"k": 11})
    sides = {max(m.kernel_size) for m in parts.decoder.large.modules() if hasattr(m, "kernel_size")}
    assert sides == {11}


def test_the_fourth_link_is_what_the_first_stage_is_given() -> None:
    network = optioned("linknet", {"links": 4}, "resnet18")
    given: list[Tensor] = []
    stage = network.encoder.graft.backbone.layer1
    hook = stage.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        features = network.encoder(images)
        hook.remove()
        assert torch.equal(network.decoder._first_link([images, *features]), given[0])
        linked = network.decoder([images, *features])
        features[0] = torch.zeros_like(features[0])
        assert not torch.equal(network.decoder([images, *features]), linked)


def test_a_fourth_link_costs_no_parameters_where_there_are_64_channels() -> None:
    features = Features([64, 64, 128, 256, 512])
    three, four = (build_parts("linknet", features, 2, {"links": each}) for each in (3, 4))
    shapes = [[each.shape for each in parts.decoder.parameters()] for parts in (three, four)]
    assert shapes[0] == shapes[1]


def test_an_encoder_that_begins_at_a_quarter_is_linked_to_the_image() -> None:
    network = optioned("linknet", {"links": 4}, "test_convnext")
    assert network.encoder.channels[0] == 0
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        features = network.encoder(images)
        one, other = (network.decoder([each, *features]) for each in (images, 1 - images))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("largest", [4, 8, 16])
def test_dilation_of_the_centre_doubles_up_to_its_largest(largest: int) -> None:
    parts = build_parts("dlinknet", Features([8] * 5), 2, {"dilation": largest})
    rates = [m.dilation[0] for m in parts.decoder.centre.modules() if hasattr(m, "dilation")]
    assert rates == [2**power for power in range(len(rates))]
    assert rates[-1] == largest


def test_the_published_tail_refines_at_the_size_of_the_image() -> None:
    parts = build_parts("dlinknet", Features([8] * 5), 2, {"tail": "published"})
    features = [torch.rand(1, 3, 64, 64)]
    features += [torch.rand(1, 8, 64 // level, 64 // level) for level in (2, 4, 8, 16, 32)]
    with torch.no_grad():
        assert parts.decoder.eval()(features).shape == (1, 32, 64, 64)
    assert parts.head.kernel_size == (3, 3)


def checkerboard(map_: Tensor) -> float:
    """The share of a map's variance at every second pixel: the spectrum at a stride of 2."""
    spectrum = torch.fft.fft2(map_.double()).abs().square().sum(dim=(0, 1))
    middle = spectrum.shape[0] // 2
    at_stride = spectrum[middle, 0] + spectrum[0, middle] + spectrum[middle, middle]
    return float(at_stride / spectrum[0, 0])


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@pytest.mark.parametrize("decoder", ["linknet", "dlinknet", "unet"])
def test_only_plain_transposed_convolutions_begin_with_a_checkerboard(
    decoder: str, upsampling: str
) -> None:
    """A feature that is the same everywhere becomes one that is, far from the border."""
    parts = build_parts(decoder, Features([16] * 5), 2, {"upsampling": upsampling})
    layers = [each for each in parts.decoder.modules() if _doubles(each)]
    assert len(layers) == (5 if decoder == "unet" else 4)
    for layer in layers:
        channels = next(layer.parameters()).shape[0 if _is_transposed(layer) else 1]
        with torch.no_grad():
            enlarged = layer(torch.rand(1, channels, 1, 1).expand(-1, -1, 12, 12))
        assert enlarged.shape[2:] == (24, 24)
        energy = checkerboard(enlarged[..., 4:-4, 4:-4])
        assert energy > 1e-3 if upsampling == "transposed" else energy < 1e-12


def _is_transposed(layer: nn.Module) -> bool:
    return isinstance(layer, nn.ConvTranspose2d)


def _doubles(layer: nn.Module) -> bool:
    kinds = [type(enlarging(each, 2, 2)) for each in ("shuffle", "resize")]
    if _is_transposed(layer):
        return layer.stride == (2, 2)
    return type(layer) is kinds[0] or (
        type(layer) is kinds[1] and len(layer) > 0 and isinstance(layer[0], nn.Upsample)
    )


def test_bilinear_upsampling_interpolates_mixed_channels_at_first() -> None:
    layer, map_ = enlarging("bilinear", 3, 5), torch.rand(1, 3, 9, 7)
    mixing = layer.weight.sum(dim=(2, 3)) / 4
    with torch.no_grad():
        expected = nn.functional.interpolate(
            torch.einsum("nihw,io->nohw", map_, mixing), scale_factor=2, mode="bilinear"
        )
        torch.testing.assert_close(layer(map_)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])


def test_attention_of_squeeze_and_excitation_is_the_paper_s_sum() -> None:
    attention, x = Scse(32), torch.rand(2, 32, 5, 6)
    with torch.no_grad():
        by_channel, by_place = attention.by_channel(x), attention.by_place(x)
        assert by_channel.shape == (2, 32, 1, 1)
        assert by_place.shape == (2, 1, 5, 6)
        torch.testing.assert_close(attention(x), x * by_channel + x * by_place)
    assert Scse(3)(torch.rand(1, 3, 2, 2)).shape == (1, 3, 2, 2)


@pytest.mark.parametrize("decoder", ["linknet", "dlinknet", "unet", "unetplusplus", "dpt"])
def test_a_non_local_block_changes_nothing_at_first(decoder: str) -> None:
    with_block = optioned(decoder, {"non_local": True})
    without = optioned(decoder, {})
    without.load_state_dict(
        {
            name.replace("center.0.", "center.").replace("centre.0.", "centre."): each
            for name, each in with_block.state_dict().items()
        },
        strict=False,
    )
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(with_block(images), without(images))
        for block in with_block.modules():
            if isinstance(block, NonLocal):
                nn.init.ones_(block.norm.weight)
        assert not torch.allclose(with_block(images), without(images))


def test_a_non_local_block_gathers_from_all_places() -> None:
    torch.manual_seed(0)
    block, x = NonLocal(8).eval(), torch.randn(2, 8, 5, 6)
    nn.init.ones_(block.norm.weight)
    query, key, value = (made(x).flatten(2) for made in (block.query, block.key, block.value))
    weights = torch.einsum("ncq,nck->nqk", query, key).softmax(dim=2)
    gathered = torch.einsum("nqk,nck->ncq", weights, value).reshape(2, 4, 5, 6)
    torch.testing.assert_close(block(x), x + block.norm(block.expand(gathered)))


@pytest.mark.parametrize(
    ("decoder", "blocks"),
    [
        *[("linknet", 4), ("dlinknet", 4), ("refinenet", 4), ("dpt", 4)],
        *[("unet", 5), ("unetplusplus", 11)],
    ],
)
def test_attention_ends_each_block(decoder: str, blocks: int) -> None:
    features = Features([16, 24, 32, 40, 48])
    attending = build_parts(decoder, features, 2, {"scse": True}).decoder
    assert sum(isinstance(each, Scse) for each in attending.modules()) == blocks
    if decoder.endswith("linknet"):
        assert all(isinstance(getattr(attending, f"block{n}")[-1], Scse) for n in (1, 2, 3, 4))


def test_a_published_pyramid_trains_on_a_single_image() -> None:
    parts = build_parts("pspnet", Features([8] * 4 + [64], 8), 2, {"tail": "published"})
    features = [torch.rand(1, each, 8, 8) for each in (3, 8, 8, 8, 8, 64)]
    logits = parts.head(parts.decoder.train()(features))
    assert logits.shape == (1, 2, 64, 64)
    assert logits.isfinite().all()
    assert [each.kernel_size for each in (parts.decoder.conv[0], parts.head[0])] == [(3, 3), (1, 1)]
