"""Puts pretrained tensors into a backbone; refuses those of another network."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.weights import Weights

_COUNTER = "num_batches_tracked"
_SHOWN = 4
_log = logging.getLogger(__name__)


@dataclass
class Mismatch:
    """How a state dict differs from what a network needs, a line each."""

    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        more = len(self.lines) - _SHOWN
        return "; ".join(self.lines[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def load_weights(
    backbone: nn.Module, weights: Weights, *, whole: frozenset[str], allow_partial: bool
) -> None:
    """Fill `backbone`; with `allow_partial` what does not fit stays as it is and is logged.

    whole: the names of all tensors of the network before its head was removed.
    Raises ConfigError with the first differing keys otherwise.
    """
    needed = {name: t for name, t in backbone.state_dict().items() if not name.endswith(_COUNTER)}
    given = {name: t for name, t in weights.state.items() if not name.endswith(_COUNTER)}
    if weights.by_position:
        given = _paired(needed, given)
    mismatch, fitting = _compare(needed, given, whole)
    if mismatch.lines and not allow_partial:
        raise ConfigError(
            f"weights {weights.source} are not those of this encoder: {mismatch.text()} "
            f"(allow_partial: true loads what fits)"
        )
    if mismatch.lines:
        _log.warning("partly loaded from %s: %s", weights.source, "; ".join(mismatch.lines))
    backbone.load_state_dict(fitting, strict=False)


def _paired(needed: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under the needed names, by position; the given may be longer (a head)."""
    return dict(zip(needed, given.values(), strict=False))


def _compare(
    needed: dict[str, Tensor], given: dict[str, Tensor], whole: frozenset[str]
) -> tuple[Mismatch, dict[str, Tensor]]:
    mismatch, fitting = Mismatch(), {}
    for name, tensor in needed.items():
        if name not in given:
            mismatch.lines.append(f"{name} is missing")
        elif given[name].shape != tensor.shape:
            shapes = f"{tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            mismatch.lines.append(f"{name} is {shapes}")
        else:
            fitting[name] = given[name]
    unknown = [name for name in given if name not in needed and name not in whole]
    mismatch.lines += [f"{name} is unknown" for name in unknown]
    return mismatch, fitting
