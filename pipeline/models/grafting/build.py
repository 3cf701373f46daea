"""From the name of a network to a graft of it, with its weights in place."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import product

import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.models.grafting.backbones import backbone_makers, native_size, says_fixed_size
from pipeline.models.grafting.channels import adapt_input
from pipeline.models.grafting.graft import Graft
from pipeline.models.grafting.loading import load_weights
from pipeline.models.grafting.plan import BEYOND, LEVELS, Plan, dilated_plan, plan_taps, takes
from pipeline.models.grafting.probe import PROBE_SIZES, Trace, features_forward, in_eval_mode, trace
from pipeline.models.grafting.prune import prune
from pipeline.models.grafting.weights import PRETRAINED, find_weights

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """The requirements for a backbone.

    weights, allow_partial: as in ModelSpec. in_channels: of one image.
    output_stride: the deepest stride; strict: an error where it cannot be had, else 32 will do.
    """

    weights: str | None = None
    allow_partial: bool = False
    in_channels: int = 3
    output_stride: int = LEVELS[-1]
    strict: bool = False


def make_graft(name: str, wish: Wish) -> Graft:
    """A graft of the network called `name`; raises ConfigError where that cannot be."""
    return Graft(*prepare(name, wish))


def prepare(name: str, wish: Wish, deepest: int = BEYOND) -> tuple[nn.Module, Plan]:
    """The network called `name` down to level `deepest`, with its weights, and how to tap it."""
    backbone, traced, plan = tapped_backbone(name)
    plan = plan.between(0, deepest)
    whole = frozenset(backbone.state_dict())
    prune(backbone, traced, plan.modules, works=lambda: takes(backbone, plan, plan.probe))
    # a factory of one's own gives its network as it wants it
    own = ":" in name and wish.weights == PRETRAINED
    if wish.weights is not None and not own:
        weights = find_weights(name, wish.weights)
        load_weights(backbone, weights, whole=whole, allow_partial=wish.allow_partial)
    adapt_input(name, backbone, wish.in_channels)
    if wish.output_stride < min(deepest, LEVELS[-1]):
        plan = _dilated(name, backbone, plan, wish)
    return backbone, plan


def tapped_backbone(name: str) -> tuple[nn.Module, Trace, Plan]:
    """The network called `name`, random and whole; a dry run of it, and the plan made from that.

    Networks of a fixed input size are given the images in tiles of that size, where timm has
    no way to let them see others.
    """
    reasons: list[str] = []
    makers = list(backbone_makers(name))
    for make, probe in [*product(makers, PROBE_SIZES), (makers[0], None)]:
        try:
            backbone = make()
            traced = trace(backbone, probe or native_size(backbone))
            plan = plan_taps(backbone, traced, tile=probe is None)
            if probe and says_fixed_size(backbone):
                _run(backbone, probe)
        except Exception as error:  # networks refuse options and sizes in every way there is
            reasons.append(_first_line(error))
        else:
            return backbone, traced, plan
    # of the network as it is, and of the last resort; what lies between repeats the first
    reason = "; ".join(dict.fromkeys([reasons[0], reasons[-1]]))
    raise ConfigError(f"encoder {name!r} cannot be grafted: {reason}")


def _run(backbone: nn.Module, size: tuple[int, int]) -> None:
    """Run for real: tables of positions that are too short for `size` show with values alone."""
    image = torch.zeros(1, 3, *size, device=next(backbone.parameters()).device)
    with torch.no_grad(), in_eval_mode(backbone):
        features_forward(backbone)(image)


def _dilated(name: str, backbone: nn.Module, plan: Plan, wish: Wish) -> Plan:
    dilated = dilated_plan(backbone, plan, wish.output_stride)
    if dilated is None and wish.strict:
        raise ConfigError(
            f"encoder {name!r} cannot be dilated to output stride {wish.output_stride}; "
            f"set the model's `output_stride` to {LEVELS[-1]} or leave it out"
        )
    if dilated is None:
        _log.info("encoder %s cannot be dilated; its deepest stride is %d", name, LEVELS[-1])
    return dilated or plan


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
