"""Checkpoints of whole models, ours and those of segmentation-models-pytorch, as starting weights.

SMP's hold where it has the same encoder and decoder, and names the encoder's tensors as timm does
(its ResNets and VGGs, and most `tu-*`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from torch import Tensor

from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.architecture import architecture_of
from pipeline.models.auxiliary.heads import OUTPUTS
from pipeline.models.decoders.registry import DECODERS
from pipeline.models.grafting.loading import load_weights
from pipeline.models.grafting.weights import PRETRAINED, PretrainedWeights, read_tensors
from pipeline.models.options import options_of
from pipeline.models.segmentation import SegmentationModel

_SAME_OUTPUT = frozenset({"unet", "unetplusplus", "manet"})
"""Decoders that compute the same here and in SMP from the same tensors. Our others are aligned
otherwise (corners, strides), so SMP's tensors would fit and mean something else, unless the option
`align` has them compute as SMP does."""
_ALIGN = "align"

_OURS = {
    "encoder.graft.backbone.": "encoder.",
    "decoder.": "decoder.",
    "head.": "segmentation_head.",
}
_ADDED = ("scales.", "crf.")
# SMP wraps the networks that it takes from timm
_WRAPPED = "encoder.model."
_OWN_DENSENET = "encoder.features.denseblock"


def whole_weights(spec: ModelSpec) -> PretrainedWeights | None:
    """The weights of a whole model that the description names as a file; None for an encoder's.

    Raises ConfigError for those of SMP in a decoder that computes other outputs from them.
    """
    if spec.weights is None or spec.weights == PRETRAINED:
        return None
    if not Path(spec.weights).is_file():
        if spec.network is None:
            return None
        raise ConfigError(f"weights {spec.weights}: a network takes a file, and this is none")
    state = read_tensors(Path(spec.weights))
    if spec.network is not None:
        return PretrainedWeights(state, spec.weights)
    is_smp = any(key.startswith(_OURS["head."]) for key in state)
    if not is_smp and not any(key.startswith("encoder.graft.") for key in state):
        return None
    if is_smp:
        _require_same_output(spec, state)
    return PretrainedWeights(from_smp(state) if is_smp else state, spec.weights)


def _require_same_output(spec: ModelSpec, state: Mapping[str, Tensor]) -> None:
    """ConfigError where the model would compute something else from SMP's tensors than SMP does."""
    refused, alone = (
        f"weights {spec.weights} are a whole SMP model; ",
        ("for the encoder alone, save its state_dict by itself"),
    )
    if any(key.startswith(_OWN_DENSENET) for key in state):
        raise ConfigError(
            f"{refused}its DenseNet gives the decoder other features than encoder "
            f"{spec.encoder!r} here; {alone}"
        )
    if spec.decoder in _SAME_OUTPUT:
        return
    known, chosen = options_of(architecture_of(spec).build), spec.options.get(_ALIGN)
    if _ALIGN not in known:
        raise ConfigError(
            f"{refused}decoder {spec.decoder!r} would give other outputs with them than SMP does. "
            f"{', '.join(sorted(_SAME_OUTPUT))} take such files, and with options: {{align: smp}} "
            f"{', '.join(_alignable())}; {alone}"
        )
    wrapped = any(key.startswith(_WRAPPED) for key in state)
    values = get_args(known[_ALIGN][0])
    wanted = "smp_timm" if wrapped and "smp_timm" in values else "smp"
    if chosen != wanted:
        raise ConfigError(
            f"{refused}decoder {spec.decoder!r} gives the outputs of SMP with options: "
            f"{{align: {wanted}}}, and other ones without; set it, or {alone}"
        )


def _alignable() -> list[str]:
    return [name for name, each in DECODERS.items() if _ALIGN in options_of(each.build)]


def load_whole(
    model: SegmentationModel, weights: PretrainedWeights, *, allow_partial: bool
) -> None:
    """Fill encoder, decoder and head; with `allow_partial`, a head of other classes stays random.

    Raises ConfigError as `load_weights` does.
    """
    given = {key: each for key, each in weights.state.items() if not key.startswith(OUTPUTS)}
    # bands are measured when it is trained; heads of auxiliary outputs are of one training alone;
    # what was trained at one scale, or without a mean field, has no attention, or none, yet
    missing = [each for each in _ADDED if not any(key.startswith(each) for key in given)]
    kept = ("bands.", *missing)
    own = {key: each for key, each in model.state_dict().items() if key.startswith(kept)}
    weights = replace(weights, state={**own, **given})
    load_weights(
        model, weights, whole=frozenset(), allow_partial=allow_partial, kind="encoder and decoder"
    )


def to_smp(state: Mapping[str, Tensor], *, wrapped: bool = False) -> dict[str, Tensor]:
    """A SegmentationModel's state under SMP's names; `wrapped` for SMP's `tu-` encoders."""
    names = {**_OURS, "encoder.graft.backbone.": _WRAPPED} if wrapped else _OURS
    return {_renamed(key, names): value for key, value in state.items()}


def from_smp(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An SMP model's state under a SegmentationModel's names."""
    wrapped = any(key.startswith(_WRAPPED) for key in state)
    names = {theirs: ours for ours, theirs in _OURS.items()}
    if wrapped:
        names = {_WRAPPED: "encoder.graft.backbone.", **names}
    return {_renamed(key, names): value for key, value in state.items()}


def _renamed(key: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key
