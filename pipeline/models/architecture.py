"""What the registries say of a model: its decoder, or its whole network."""

from __future__ import annotations

import torch

from pipeline.config import ModelSpec
from pipeline.config.auxiliary import DeepSupervision
from pipeline.errors import ConfigError
from pipeline.models.decoders.parts import Decoder, Features
from pipeline.models.decoders.registry import DECODERS
from pipeline.models.networks.network import Network
from pipeline.models.networks.registry import NETWORKS
from pipeline.models.options import check_options
from pipeline.suggestions import check_name

_ANY = Features([8] * 5)
"""Of an encoder of no kind, for options that need none."""


def architecture_of(spec: ModelSpec) -> Decoder | Network:
    """The entry of a model's decoder or network; ConfigError for an unknown name."""
    if spec.network is not None:
        check_name("network", spec.network, NETWORKS)
        return NETWORKS[spec.network]
    assert spec.decoder is not None, "a model without a network has a decoder"
    check_name("decoder", spec.decoder, DECODERS)
    return DECODERS[spec.decoder]


def check_architecture(model: tuple[str, ModelSpec]) -> None:
    """ConfigError where a model, with its name, asks for what its architecture does not have."""
    name, spec = model
    try:
        _check_options(spec)
    except ConfigError as error:
        raise ConfigError(f"models.{name}.{error}") from None
    _check_levels(name, spec)


def _check_options(spec: ModelSpec) -> None:
    if not spec.options:
        return
    kind = architecture_of(spec)
    check_options(_label(spec), kind.build, spec.options)
    try:
        with torch.device("meta"):
            if isinstance(kind, Network):
                kind.build(3, 1, **spec.options)
            else:
                kind.build(_ANY, 1, **spec.options)
    except (ArithmeticError, IndexError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"options: {_label(spec)} cannot be built with {dict(spec.options)}: {error}"
        ) from None


def _check_levels(name: str, spec: ModelSpec) -> None:
    there = len(architecture_of(spec).levels)
    for number, output in enumerate(spec.auxiliary):
        if not isinstance(output, DeepSupervision) or output.levels <= there:
            continue
        place = f"models.{name}.auxiliary[{number}]"
        label = _label(spec)
        if there:
            raise ConfigError(
                f"{place}.levels: {output.levels}: {label} has {there} level(s) below its output; "
                f"set levels: {there}"
            )
        kinds: dict[str, Decoder | Network] = {**DECODERS, **NETWORKS}
        others = ", ".join(f"{each} {len(kinds[each].levels)}" for each in kinds
                           if kinds[each].levels)  # fmt: skip
        raise ConfigError(
            f"{place}: {label} decodes in one step, and has no level for deep_supervision; these "
            f"have some: {others}"
        )


def _label(spec: ModelSpec) -> str:
    return f"network {spec.network}" if spec.network else f"decoder {spec.decoder}"
