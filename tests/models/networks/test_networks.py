from __future__ import annotations

import inspect
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from _pytest.mark.structures import ParameterSet
from torch import Tensor

from pipeline.exporting.formats import FORMATS
from pipeline.models.auxiliary.levels import tapped
from pipeline.models.decoders.parts import Parts
from pipeline.models.factory import parameter_count
from pipeline.models.networks.registry import NETWORKS
from tests.helpers.small_networks import on_meta, shared_whole, whole
from tests.helpers.translation import MOVED, answered_shift

# One of each kind computes; its siblings differ in numbers of layers, which cost nothing on meta.
COMPUTED = ("unet_original", "segnet", "fcdensenet56", "drn_d_22", "enet", "fastscnn", "vnet")
OTHERS = tuple(name for name in NETWORKS if name not in COMPUTED)
LIGHT = ("unet_original", "segnet", "enet", "fastscnn", "vnet")


def _slow(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


def _count(parts: Parts) -> int:
    return parameter_count(parts.decoder) + parameter_count(parts.head)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        # Their decoder normalises and rectifies its logits, too: two parameters a class more.
        ("segnet", 11, 29_449_377 - 2 * 11),
        ("segnet", 21, 29_455_167 - 2 * 21),
        # Theirs has a bias of 128 before two normalisations of the fusion.
        ("fastscnn", 19, 1_138_051 - 2 * 128),
    ],
)
def test_a_network_of_other_classes_has_the_parameters_of_public_ones(
    name: str, classes: int, parameters: int
) -> None:
    assert _count(on_meta(name, classes)) == parameters


@pytest.mark.parametrize("name", COMPUTED)
def test_images_may_have_any_number_of_channels(name: str) -> None:
    image = 5
    parts = on_meta(name, 7, image)
    height, width = 3 * NETWORKS[name].step, 64
    logits = parts.head(parts.decoder([torch.empty(2, image, height, width, device="meta")]))
    assert logits.shape == (2, 7, height, width)


@pytest.mark.parametrize("name", [*COMPUTED, *_slow(OTHERS)])
def test_any_size_will_do(name: str) -> None:
    with torch.no_grad():
        assert shared_whole(name)(torch.rand(2, 3, 101, 75)).shape == (2, 2, 101, 75)


@pytest.mark.parametrize("name", [*LIGHT, *_slow(["fcdensenet56", "drn_d_22"])])
def test_a_size_that_does_not_halve_will_do(name: str) -> None:
    with torch.no_grad():
        assert shared_whole(name)(torch.rand(1, 3, 299, 299)).shape == (1, 2, 299, 299)


@pytest.mark.parametrize("name", [*COMPUTED, *_slow(OTHERS)])
def test_every_parameter_learns_from_a_single_image(name: str) -> None:
    network = whole(name).train()
    network(torch.rand(1, 3, 64, 64)).square().mean().backward()
    bad = [key for key, p in network.named_parameters() if p.grad is None or not _finite(p.grad)]
    assert not bad


@pytest.mark.parametrize("name", COMPUTED)
def test_half_precision_is_finite(name: str) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert _finite(shared_whole(name)(torch.rand(1, 3, 32, 32)))


def _finite(values: Tensor) -> bool:
    return bool(values.isfinite().all())


@pytest.mark.parametrize("name", COMPUTED)
def test_a_translation_moves_the_output_along(name: str) -> None:
    assert answered_shift(shared_whole(name), 32, 512) == pytest.approx(MOVED, abs=4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "onnx") for name in COMPUTED),
        *((name, "torchscript") for name in ("unet_original", "segnet")),
    ],
)
def test_an_exported_network_computes_the_same(name: str, kind: str, tmp_path: Path) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    network, file = shared_whole(name), tmp_path / kind
    FORMATS[kind].write(network, 3, file)
    computes = FORMATS[kind].read(file, network)
    images = torch.rand(2, 3, 3 * network.step, network.step)
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(computes(images.numpy()), expected, atol=1e-4 * expected.std())


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network.levels])
def test_levels_are_coarser_than_the_map_the_finest_first(name: str) -> None:
    decoder = on_meta(name).decoder
    with tapped(decoder, NETWORKS[name].levels) as levels:
        last = decoder([torch.empty(1, 3, 64, 128, device="meta")])
    heights = [each.shape[2] for each in (last, *levels)]
    for finer, coarser in pairwise(heights):
        assert finer % coarser == 0
        assert finer >= 2 * coarser
    assert all(each.shape[3] == 2 * each.shape[2] for each in levels)


@pytest.mark.parametrize("name", NETWORKS)
def test_options_are_named_and_have_defaults_of_their_types(name: str) -> None:
    build = NETWORKS[name].build
    hints = get_type_hints(build)
    image, classes, *options = inspect.signature(build).parameters.values()
    assert (image.name, classes.name) == ("image", "classes")
    for option in options:
        assert option.kind is inspect.Parameter.KEYWORD_ONLY
        kind = hints[option.name]
        assert get_origin(kind) is Literal or type(option.default) is kind
        assert get_origin(kind) is Literal or kind in (bool, int, float)
