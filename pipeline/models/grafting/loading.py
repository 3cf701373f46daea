"""Puts pretrained tensors into a backbone; refuses those of another network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.weights import PretrainedWeights

_COUNTER = "num_batches_tracked"
_SHOWN = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorFit:
    """How a state dict agrees with what a network needs, by names of tensors."""

    fitting: dict[str, Tensor]
    needed: int
    missing: Sequence[str]
    unexpected: Sequence[str]
    reshaped: Sequence[str]
    """Of another shape, with both shapes."""

    @property
    def is_exact(self) -> bool:
        return not (self.missing or self.unexpected or self.reshaped)

    @property
    def count(self) -> str:
        return f"{len(self.fitting)} of {self.needed} tensors fit"

    def text(self) -> str:
        """How many fit, and the first few of those that do not."""
        kinds = [
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", self.reshaped),
        ]
        return "; ".join([self.count, *(_some(kind, names) for kind, names in kinds if names)])


def _some(kind: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{more})"


def load_weights(
    backbone: nn.Module,
    weights: PretrainedWeights,
    *,
    whole: frozenset[str],
    allow_partial: bool,
    kind: str = "encoder",
) -> None:
    """Fill `backbone`; with `allow_partial` what does not fit stays as it is, and a summary is
    logged.

    kind: what `backbone` is to the user; whole: the names of all tensors of the network before its
    head was removed.
    Raises ConfigError for weights that do not fit: in one tensor, or with `allow_partial` in all.
    """
    needed = {name: t for name, t in backbone.state_dict().items() if not name.endswith(_COUNTER)}
    given = {name: t for name, t in weights.state.items() if not name.endswith(_COUNTER)}
    if weights.by_position:
        given = _paired(needed, given)
    fit = _compare(needed, given, whole)
    if not fit.fitting:
        raise ConfigError(
            f"weights {weights.source} belong to another network than this {kind}: {fit.text()}; "
            f"give the weights of this {kind}, or set weights: null to start from random numbers"
        )
    if not fit.is_exact and not allow_partial:
        raise ConfigError(
            f"weights {weights.source} are not those of this {kind}: {fit.text()} "
            "(allow_partial: true loads what fits)"
        )
    _refuse_other_numbers(needed, fit.fitting, weights.source)
    if not fit.is_exact:
        _log.warning("partly loaded from %s: %s", weights.source, fit.text())
    backbone.load_state_dict(fit.fitting, strict=False)


def _refuse_other_numbers(needed: dict[str, Tensor], given: dict[str, Tensor], source: str) -> None:
    """ConfigError for tensors of the right shape whose numbers are no weights: quantised, NaN."""
    for name, tensor in given.items():
        if not needed[name].is_floating_point():
            continue
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ConfigError(
                f"weights {source}: {name} is of type {kind}; give the file of floating-point "
                "weights"
            )
        if not tensor.isfinite().all() and needed[name].isfinite().all():
            raise ConfigError(
                f"weights {source}: {name} has numbers that are not finite; the file is damaged "
                "or its training diverged; give another file"
            )


def _paired(needed: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under the needed names, by position; the given may be longer (a head)."""
    return dict(zip(needed, given.values(), strict=False))


def _compare(
    needed: dict[str, Tensor], given: dict[str, Tensor], whole: frozenset[str]
) -> TensorFit:
    fitting, reshaped = {}, []
    for name, tensor in needed.items():
        if name not in given:
            continue
        if given[name].shape == tensor.shape:
            fitting[name] = given[name]
        else:
            shapes = f"{tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            reshaped.append(f"{name} is {shapes}")
    return TensorFit(
        fitting=fitting,
        needed=len(needed),
        missing=[name for name in needed if name not in given],
        unexpected=[name for name in given if name not in needed and name not in whole],
        reshaped=reshaped,
    )
