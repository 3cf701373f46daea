from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.parts import Tap
from pipeline.models.factory import parameter_count
from pipeline.models.networks.enet import Bottleneck
from tests.helpers.small_networks import on_meta, shared_whole


def test_it_has_as_many_parameters_as_its_paper_says() -> None:
    parts = on_meta("enet", 19)
    count = parameter_count(parts.decoder) + parameter_count(parts.head)
    assert count == pytest.approx(0.37e6, rel=0.03)


@pytest.mark.parametrize("stage", ["stage2", "stage3"])
def test_dilated_and_asymmetric_bottlenecks_take_turns(stage: str) -> None:
    bottlenecks = on_meta("enet").decoder.get_submodule(stage)
    assert [_view(each) for each in bottlenecks] == [
        "regular", 2, "asymmetric", 4, "regular", 8, "asymmetric", 16,
    ]  # fmt: skip


def test_only_the_encoder_learns_slopes_and_no_convolution_has_a_bias() -> None:
    decoder = on_meta("enet").decoder
    with_slopes = {name.split(".")[0] for name, each in decoder.named_modules()
                   if isinstance(each, nn.PReLU)}  # fmt: skip
    assert with_slopes == {"first", "reduce1", "stage1", "reduce2", "stage2", "stage3"}
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    assert all(each.bias is None for each in decoder.modules() if isinstance(each, kinds))


def test_values_come_back_to_where_the_reduction_of_the_same_size_found_the_maxima() -> None:
    decoder = shared_whole("enet").decoder
    pairs = (("reduce1", "enlarge5"), ("reduce2", "enlarge4"))
    for reduce, enlarge in pairs:
        before = [Tap(reduce, of_input=True), Tap(f"{enlarge}.branch"), Tap(enlarge)]
        with torch.no_grad(), tapped(decoder, before) as features:
            decoder([torch.rand(1, 3, 32, 48)])
        reduced, added, enlarged = features
        # where nothing came back the sum is the branch alone
        elsewhere = reduced != F.interpolate(F.max_pool2d(reduced, 2), scale_factor=2)
        torch.testing.assert_close(enlarged[elsewhere], F.relu(added)[elsewhere])
        assert not torch.equal(enlarged[~elsewhere], F.relu(added)[~elsewhere])


def test_dropout_is_weak_before_the_second_reduction() -> None:
    decoder = on_meta("enet").decoder
    rates = [each.p for each in decoder.modules() if isinstance(each, nn.Dropout2d)]
    assert rates == pytest.approx([0.01] * 5 + [0.1] * 22)


def test_more_channels_than_the_first_stage_has_will_do() -> None:
    parts = on_meta("enet", 2, 100)
    logits = parts.head(parts.decoder([torch.empty(1, 100, 32, 32, device="meta")]))
    assert logits.shape == (1, 2, 32, 32)


def _view(bottleneck: nn.Module) -> int | str:
    assert isinstance(bottleneck, Bottleneck)
    kernels = {each.kernel_size: each.dilation[0] for each in bottleneck.branch.modules()
               if isinstance(each, nn.Conv2d)}  # fmt: skip
    if (5, 1) in kernels:
        assert (1, 5) in kernels
        return "asymmetric"
    return "regular" if kernels[(3, 3)] == 1 else kernels[(3, 3)]
