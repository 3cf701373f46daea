from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.channels import Channels
from pipeline.errors import ConfigError
from pipeline.models.factory import parameter_count
from pipeline.models.padding import repeat_to_multiple
from tests.helpers.small_models import model, shared_model

PAIR = Channels(3, references=True)
FAST = (
    "inception_v3",
    "densenet121",
    "test_convnext",
    pytest.param("swin_tiny_patch4_window7_224", marks=pytest.mark.slow),
    "test_vit",
    "vgg11_bn",
    "tf_efficientnet_lite0",
    "tests.helpers.small_models:valid_toy",
)


@pytest.mark.parametrize("encoder", FAST)
def test_any_size_from_32_gives_that_size(encoder: str) -> None:
    network = shared_model("linknet", encoder)
    network.zero_grad()
    for size in ((32, 32), (45, 67)):
        logits = network(torch.rand(1, 3, *size))
        assert logits.shape == (1, 2, *size)
    logits.square().mean().backward()
    trained = [p for p in network.encoder.graft.parameters() if p.requires_grad]
    for parameter in (trained[0], trained[-1]):
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()


@settings(max_examples=20, deadline=None)
@given(height=st.integers(32, 100), width=st.integers(32, 100))
def test_sizes_at_random(height: int, width: int) -> None:
    with torch.no_grad():
        assert NETWORK(torch.rand(1, 3, height, width)).shape == (1, 2, height, width)


NETWORK = model("unet", "test_resnet")


def test_padding_leaves_the_rest_alone() -> None:
    """An image is answered as the upper left corner of its padded self."""
    image = torch.rand(1, 3, 50, 70)
    padded = repeat_to_multiple(image, 32)
    assert padded.shape == (1, 3, 64, 96)
    assert torch.equal(padded[..., 63, :70], image[..., 49, :])
    assert torch.equal(padded[..., :50, 95], image[..., 69])
    with torch.no_grad():
        assert torch.equal(NETWORK(image), NETWORK(padded)[..., :50, :70])


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 4, 64, 64), (3, 64, 64)])
def test_wrong_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError, match="images"):
        NETWORK(torch.rand(*shape))


@pytest.mark.parametrize(
    "encoder", ["test_resnet", "test_vit", "tests.helpers.small_models:valid_toy"]
)
def test_a_seed_gives_the_weights(encoder: str) -> None:
    first, second = (model("unet", encoder).state_dict() for _ in range(2))
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_model_normalises_for_its_encoder() -> None:
    network = model("unet", "test_resnet")
    seen: list[torch.Tensor] = []
    network.encoder.graft.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    network(network.encoder.mean.expand(1, 3, 32, 32))
    assert seen[0].abs().max() == 0


def test_copies_and_pickles_answer_alike() -> None:
    image = torch.rand(1, 3, 64, 64)
    expected = NETWORK(image)
    assert torch.equal(copy.deepcopy(NETWORK)(image), expected)
    assert torch.equal(pickle.loads(pickle.dumps(NETWORK))(image), expected)


def test_it_compiles_whole() -> None:
    image = torch.rand(1, 3, 64, 64)
    compiled = torch.compile(NETWORK, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image), NETWORK(image))


def test_siamese_models_see_both_images_alike() -> None:
    network = model("unet", "test_resnet", channels=PAIR, reference="siamese")
    one, other = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    assert network(torch.cat([one, other], dim=1)).shape == (1, 2, 64, 64)
    forwards = network.encoder(torch.cat([one, other], dim=1))
    backwards = network.encoder(torch.cat([other, one], dim=1))
    for ahead, behind in zip(forwards, backwards, strict=True):
        torch.testing.assert_close(torch.cat(behind.chunk(2, dim=1)[::-1], dim=1), ahead)
    plain = model("unet", "test_resnet", channels=PAIR)
    assert parameter_count(network.encoder) < parameter_count(plain.encoder)
    with pytest.raises(ConfigError, match="two images, not 3 channels"):
        model("unet", "test_resnet", reference="siamese")


def test_difference_models_see_image_and_difference() -> None:
    network = model("unet", "test_resnet", channels=PAIR, reference="difference")
    one, other = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    stacked = model("unet", "test_resnet", channels=PAIR)
    shown = torch.cat([one, (one - other).abs()], dim=1)
    expected = stacked(shown)
    assert torch.equal(network(torch.cat([one, other], dim=1)), expected)
    with pytest.raises(ConfigError, match="two images, not 3 channels"):
        model("unet", "test_resnet", reference="difference")


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_a_model_may_leave_the_reference_out(bands: int) -> None:
    pair = Channels(bands, references=True)
    network = model("unet", "test_resnet", channels=pair, reference="none")
    alone = model("unet", "test_resnet", channels=Channels(bands))
    image, other = torch.rand(2, 1, bands, 64, 64)
    for reference in (image, other):
        assert torch.equal(network(torch.cat([image, reference], 1)), alone(image))


def test_without_references_a_model_that_leaves_them_out_sees_all_channels() -> None:
    bands = Channels(5)
    image = torch.rand(1, 5, 64, 64)
    seeing = model("unet", "test_resnet", channels=bands, reference="none")
    assert torch.equal(seeing(image), model("unet", "test_resnet", channels=bands)(image))


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [
        ("nowhere.at_all:make", "cannot be imported"),
        ("torch:nothing_of_the_kind", "cannot be imported"),
        ("builtins:dict", "not a nn.Module"),
    ],
)
def test_bad_factories_are_named(encoder: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        model("unet", encoder)


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(ConfigError, match="no feature maps"):
        model("unet", "torch.nn:Identity")
