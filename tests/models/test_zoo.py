"""Networks of the literature: parameters as in named code, and what their papers say of them."""

from __future__ import annotations

import pytest
import torch
from segmentation_models_pytorch.decoders.dpt.decoder import FusionBlock, ResidualConvBlock
from segmentation_models_pytorch.decoders.pan.decoder import PANDecoder
from torch import nn

from benchmarks.systems import SYSTEMS, System
from pipeline.channels import Channels
from pipeline.config import ModelSpec
from pipeline.models.decoders.danet import ChannelAttention, PositionAttention
from pipeline.models.decoders.deeplab import JoinedPyramid
from pipeline.models.decoders.dilated_context import Context
from pipeline.models.decoders.icnet import _with_context
from pipeline.models.decoders.layers import PooledNorm, bilinear_upsampling
from pipeline.models.decoders.pan import AttentionUpsample, PyramidAttention
from pipeline.models.decoders.parts import Features
from pipeline.models.decoders.registry import DECODERS, build_parts
from pipeline.models.factory import build_model, parameter_count
from pipeline.models.networks.registry import NETWORKS
from tests.helpers.small_models import model

COUNTED = [system for system in SYSTEMS if system.parameters is not None]


@pytest.mark.parametrize("system", COUNTED, ids=lambda system: system.name)
def test_parameters_are_those_of_public_code(system: System) -> None:
    with torch.device("meta"):
        network = build_model(system.spec(), classes=system.classes)
    assert system.parameters is not None
    assert parameter_count(network) - system.parameters == system.differs, system.code
    assert bool(system.differs) == bool(system.why)


def test_every_decoder_and_network_is_a_system() -> None:
    assert sorted(system.name for system in SYSTEMS) == sorted([*DECODERS, *NETWORKS])


def test_a_dlinknet_on_bottlenecks_has_the_parameters_of_public_code() -> None:
    """zlckanata/DeepGlobe-Road-Extraction-Challenge, less biases before a normalisation."""
    options = {"tail": "published", "dilation": 16}
    with torch.device("meta"):
        network = model("dlinknet", "resnet50", classes=1, options=options)
    assert parameter_count(network) == 217_645_089 - 3968


def test_a_pyramid_attention_network_has_the_parameters_of_smp_s() -> None:
    """But for SMP's biases in front of a normalisation: 7 of 32 channels, and 6 of the pyramid."""
    channels = [3, 64, 256, 512, 1024, 2048]
    with torch.device("meta"):
        theirs = PANDecoder(channels, encoder_depth=5, decoder_channels=32)
        ours = build_parts("pan", Features(channels[1:], 16), 1).decoder
    assert [type(each) for each in ours.modules() if isinstance(each, nn.Conv2d)] == [
        type(each) for each in theirs.modules() if isinstance(each, nn.Conv2d)
    ]
    assert parameter_count(ours) == parameter_count(theirs) - 8 * 32 - 6


def test_the_fusion_of_dpt_has_the_parameters_of_smp_s() -> None:
    """But for a residual unit of the deepest feature, which the authors do not use there either."""
    with torch.device("meta"):
        theirs, unit = FusionBlock(256), ResidualConvBlock(256)
        ours = build_parts("dpt", Features([8] * 5), 1).decoder
    assert parameter_count(ours.fuse) == 4 * parameter_count(theirs) - parameter_count(unit)


def test_the_cascade_of_icnet_has_the_parameters_of_public_code() -> None:
    """liminn/ICNet-pytorch, less its backbone with classifier and deep stem, and three heads."""
    backbone, heads = 25_557_032 + 123_776, 3 * 128 * 19
    # the public code takes the half-sized image's feature of 512 channels at 1/16
    with torch.device("meta"):
        ours = build_parts("icnet", Features([64, 256, 512, 512, 2048]), 19).decoder
    assert parameter_count(ours) == 28_298_376 - backbone - heads


def test_the_cascade_of_icnet_adds_the_means_of_parts() -> None:
    feature = torch.rand(1, 4, 12, 6)
    constant = torch.full_like(feature, 2.0)
    assert torch.allclose(_with_context(constant), torch.full_like(feature, 10.0))
    whole = _with_context(feature).mean()
    assert float(whole) == pytest.approx(5 * float(feature.mean()), rel=0.05)


def test_pyramid_attention_weights_places_and_adds_the_whole() -> None:
    torch.manual_seed(0)
    attention, feature = PyramidAttention(6).eval(), torch.rand(1, 6, 16, 16)
    for layer in attention.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.02)
    with torch.no_grad():
        full = attention(feature)
        rest = full - attention.whole(feature)
        nn.init.zeros_(attention.side[-1][0].weight)
        assert not torch.equal(attention(feature), full)
        for side in attention.side:
            nn.init.zeros_(side[0].weight)
        torch.testing.assert_close(attention(feature) - attention.whole(feature), 0 * rest)
    assert rest.abs().max() > 0


def test_global_attention_weights_channels_by_what_is_below() -> None:
    torch.manual_seed(0)
    lift = AttentionUpsample(6).eval()
    finer, below = torch.rand(1, 6, 8, 8), torch.rand(1, 32, 4, 4)
    with torch.no_grad():
        size = finer.shape[2:]
        enlarged = nn.functional.interpolate(below, size, mode="bilinear")
        expected = enlarged + lift.narrow(finer) * lift.weigh(below.mean((2, 3), keepdim=True))
        torch.testing.assert_close(lift(finer, below), expected)


def test_upsampling_is_bilinear_at_first() -> None:
    map_ = torch.rand(1, 2, 9, 7)
    for factor in (2, 8, 32):
        with torch.no_grad():
            ours = bilinear_upsampling(2, factor)(map_)
        theirs = nn.functional.interpolate(map_, scale_factor=factor, mode="bilinear")
        inside = (..., slice(factor, -factor), slice(factor, -factor))
        torch.testing.assert_close(ours[inside], theirs[inside])


def test_context_is_the_identity_at_first_and_sees_67_cells() -> None:
    context, scores = Context(3), torch.rand(1, 3, 96, 96)
    assert torch.equal(context(scores), scores)
    assert parameter_count(context) == 7 * (9 * 3**2 + 3) + 3**2 + 3
    for layer in context.layers:
        nn.init.constant_(layer.weight, 0.1)
    scores.requires_grad_(True)
    context(scores)[0, :, 48, 48].sum().backward()
    rows = scores.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (48 - 33, 48 + 33)


def test_a_pyramid_trains_on_a_single_image() -> None:
    pyramid = JoinedPyramid(8, (1, 2, 3)).train()
    out = pyramid([torch.rand(1, 8, 4, 4)])
    assert out.shape == (1, 256, 4, 4) and out.isfinite().all()


def test_a_pooled_normalisation_is_a_plain_one_in_larger_batches() -> None:
    torch.manual_seed(0)
    values, ours, theirs = torch.rand(4, 8, 1, 1), PooledNorm(8), nn.BatchNorm2d(8)
    assert torch.equal(ours(values), theirs(values))
    assert torch.equal(ours.running_mean, theirs.running_mean)


def test_attention_over_places_is_the_paper_s_sum() -> None:
    torch.manual_seed(0)
    attention, x = PositionAttention(16), torch.randn(2, 16, 5, 6)
    assert torch.equal(attention(x), x)
    nn.init.ones_(attention.scale)
    query, key, value = (m(x).flatten(2) for m in (attention.query, attention.key, attention.value))
    weights = torch.einsum("ncq,nck->nqk", query, key).softmax(dim=2)
    expected = x + torch.einsum("nqk,nck->ncq", weights, value).reshape(x.shape)
    torch.testing.assert_close(attention(x), expected)


def test_attention_over_channels_is_the_paper_s_sum() -> None:
    torch.manual_seed(0)
    attention, x = ChannelAttention(), torch.randn(2, 4, 5, 6)
    assert torch.equal(attention(x), x)
    nn.init.ones_(attention.scale)
    flat = x.flatten(2)
    likeness = torch.einsum("ncp,ndp->ncd", flat, flat)
    expected = x + torch.einsum("ncd,ndp->ncp", (-likeness).softmax(dim=2), flat).reshape(x.shape)
    torch.testing.assert_close(attention(x), expected)


@pytest.mark.parametrize(
    "decoder", ["bisenet", "danet", "deeplabv3", "refinenet", "fcn8s", "pan", "dpt", "icnet"]
)
def test_one_image_in_a_batch_trains(decoder: str) -> None:
    network = model(decoder, "test_resnet", classes=2).train()
    output = network(torch.rand(1, 3, 101, 75))
    logits = output if isinstance(output, torch.Tensor) else output[0]
    assert logits.shape == (1, 2, 101, 75)
    logits.square().mean().backward()
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    assert all(each.isfinite().all() for each in gradients)


def test_a_decoder_that_sees_the_image_sees_no_reference_where_none_is_used() -> None:
    spec = ModelSpec(decoder="bisenet", encoder="test_resnet", weights=None, reference="none")
    network = build_model(spec, classes=1, channels=Channels(3, references=True)).eval()
    images = torch.rand(1, 6, 64, 64)
    other = torch.cat([images[:, :3], torch.rand(1, 3, 64, 64)], dim=1)
    with torch.inference_mode():
        assert torch.equal(network(images), network(other))
