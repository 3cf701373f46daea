"""Checkpoints of segmentation-models-pytorch, read and written.

Holds where SMP has the same encoder and decoder, and names the encoder's tensors as timm does (its
ResNets, VGGs, DenseNets, `timm-efficientnet-*`, and every `tu-*`).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_OURS = {
    "encoder.graft.backbone.": "encoder.",
    "decoder.": "decoder.",
    "head.": "segmentation_head.",
}
# SMP wraps the networks that it takes from timm
_WRAPPED = "encoder.model."


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
