from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.channels import Channels
from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.factory import build_model
from pipeline.models.grafting.build import Wish, make_graft
from pipeline.models.grafting.dilation import dilate
from pipeline.models.grafting.probe import PROBE_SIZES, trace
from tests.helpers.small_models import Toy, model


@pytest.mark.parametrize(
    "encoder",
    [
        "test_resnet",
        "test_efficientnet",
        "test_convnext",
        pytest.param("efficientvit_m0", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("stride", [8, 16])
def test_the_last_stages_stay_at_the_output_stride(encoder: str, stride: int) -> None:
    network = model("pspnet", encoder, output_stride=stride)
    features = network.encoder(torch.rand(1, 3, 64, 96))
    sizes = [tuple(feature.shape[2:]) for feature in features]
    assert sizes == [
        (64 // s, 96 // s) for s in (min(level, stride) for level in (2, 4, 8, 16, 32))
    ]


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext"])
def test_images_of_many_channels_are_dilated_too(encoder: str) -> None:
    spec = ModelSpec(decoder="danet", encoder=encoder, weights=None)
    network = build_model(spec, classes=1, channels=Channels(5))
    assert network.encoder.output_stride == 8
    assert network.eval()(torch.rand(1, 5, 64, 64)).shape == (1, 1, 64, 64)


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_weights_are_the_same_and_so_are_the_early_features(encoder: str) -> None:
    light, dilated = (model("pspnet", encoder, output_stride=s).encoder for s in (32, 8))
    dilated.load_state_dict(light.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for early, other in list(zip(light(image), dilated(image), strict=True))[:3]:
            assert torch.equal(early, other)


def test_a_dilated_map_holds_the_undilated_one() -> None:
    """Every fourth cell of the dilated map is a cell of the original."""
    torch.manual_seed(0)
    toy = Toy().eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = [image]
        for stage in toy.stages:
            plain.append(stage(plain[-1]))
        dilate(toy, trace(toy, PROBE_SIZES[0]), 8)
        dilated = image
        for stage in toy.stages:
            dilated = stage(dilated)
    assert dilated.shape[2:] == (8, 8)
    torch.testing.assert_close(dilated[..., ::4, ::4], plain[-1])


def rates_of(stage: nn.Module) -> list[int]:
    """The dilation of each of its convolutions that look beyond their cell."""
    layers = [each for each in stage.modules() if isinstance(each, nn.Conv2d)]
    return [each.dilation[0] for each in layers if each.kernel_size[0] > 1]


def test_hybrid_rates_are_the_paper_s() -> None:
    with torch.device("meta"):
        graft = make_graft("resnet50", Wish(output_stride=8, hybrid=True))
    backbone = graft.backbone
    assert rates_of(backbone.layer3) == [1, 2, 5, 9, 1, 2]
    assert rates_of(backbone.layer4) == [5, 9, 17]
    assert set(rates_of(backbone.layer2)) == {1}
    assert graft.output_stride == 8


def test_hybrid_rates_look_at_every_cell() -> None:
    """Convolutions of rates 1, 2, 5 and 9 leave no gap in what they see; those of 2 do."""
    for rates, whole in (((1, 2, 5, 9), True), ((2, 2, 2, 2), False)):
        x = torch.zeros(1, 1, 64, 64, requires_grad=True)
        y = x
        for rate in rates:
            y = nn.functional.conv2d(y, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)
        y[0, 0, 32, 32].backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        seen = x.grad[0, 0, 32].nonzero().flatten()
        assert (len(seen) == int(seen.max() - seen.min()) + 1) == whole


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_hybrid_dilation_keeps_sizes_and_weights(encoder: str) -> None:
    grafts = [make_graft(encoder, Wish(output_stride=8, hybrid=each)) for each in (True, False)]
    hybrid, plain = (each.eval() for each in grafts)
    for each in plain.modules():
        if isinstance(each, nn.BatchNorm2d):
            nn.init.ones_(each.weight)  # those of residual branches are 0 at first
    hybrid.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        one, other = hybrid(image), plain(image)
    assert [each.shape for each in one.values()] == [each.shape for each in other.values()]
    assert torch.equal(one[4], other[4])
    assert not torch.equal(one[32], other[32])


def test_duc_asks_for_hybrid_dilation_of_an_encoder_that_has_it() -> None:
    plain, off = (model("duc", "test_resnet", options=o) for o in ({}, {"hdc": False}))
    hybrid = model("duc", "test_resnet", options={"hdc": True})
    assert repr(plain.encoder) == repr(off.encoder) != repr(hybrid.encoder)
    assert repr(plain.decoder) == repr(hybrid.decoder)
    with pytest.raises(ConfigError, match=r"options\.hdc: encoder 'test_vit' is not dilated"):
        model("duc", "test_vit", options={"hdc": True})
    with pytest.raises(ConfigError, match=r"options\.hdc: encoder 'test_resnet' is not dilated"):
        model("duc", "test_resnet", options={"hdc": True}, output_stride=32)


def test_undoing_restores_every_layer() -> None:
    toy = Toy()
    before = [repr(module) for module in toy.modules()]
    undo = dilate(toy, trace(toy, PROBE_SIZES[0]), 8)
    assert [repr(module) for module in toy.modules()] != before
    undo()
    assert [repr(module) for module in toy.modules()] == before


def test_what_cannot_be_dilated_is_light_unless_asked_for() -> None:
    assert model("pspnet", "test_vit").encoder.output_stride == 32
    with pytest.raises(ConfigError, match="'test_vit' cannot be dilated to output stride 8"):
        model("pspnet", "test_vit", output_stride=8)


def test_decoders_that_need_all_reductions_refuse_an_output_stride() -> None:
    with pytest.raises(ConfigError, match="'unet' needs every reduction"):
        model("unet", "test_resnet", output_stride=8)


def test_the_auxiliary_head_speaks_in_training_alone() -> None:
    network = model("pspnet", "test_resnet")
    images = torch.rand(2, 3, 40, 56)
    assert isinstance(network.auxiliary, nn.Module)
    assert network.auxiliary_weight == 0.4
    assert network(images).shape == (2, 2, 40, 56)
    logits, auxiliary = network.train()(images)
    assert logits.shape == auxiliary.shape == (2, 2, 40, 56)
    assert model("pspnet", "test_resnet", output_stride=32).auxiliary is None
