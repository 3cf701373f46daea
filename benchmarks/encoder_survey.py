"""What of timm can be grafted into what: the rows behind `make encoders`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.factory import build_model, parameter_count
from pipeline.models.grafting.graft import Graft
from pipeline.models.grafting.plan import LEVELS
from pipeline.models.padding import repeat_to_multiple
from pipeline.models.segmentation import SegmentationModel

SIZES = ((256, 256), (299, 299), (321, 479))
DECODERS = ("linknet", "unet", "pspnet")
OK = "ok"
_COUNTED_SIZE = (256, 256)


@dataclass(frozen=True)
class Row:
    """One encoder. levels: its reductions, channels: theirs; parameters, macs (at 256x256): of the
    encoder alone; fed: how images are adapted to it; verdicts: "ok" or the reason, by decoder."""

    family: str
    model: str
    levels: tuple[int, ...]
    channels: tuple[int, ...]
    parameters: int
    macs: int
    fed: str
    verdicts: tuple[str, ...]


def families() -> Iterator[tuple[str, str]]:
    """Every file of timm's models, with its smallest model (by parameters, then by name)."""
    for family in timm.list_modules():
        sizes = [(_size(model), model) for model in timm.list_models(module=family)]
        yield family, min(sizes)[1]


def survey(family: str, model: str, sizes: Sequence[tuple[int, int]] = SIZES) -> Row:
    """Graft `model` into each of DECODERS and run it forwards and backwards at every size."""
    try:
        graft = _built(model, DECODERS[0]).encoder.graft
    except ConfigError as error:
        return Row(family, model, (), (), 0, 0, "", (str(error),) * len(DECODERS))
    assert isinstance(graft, Graft)
    verdicts = tuple(verdict(model, decoder, sizes) for decoder in DECODERS)
    levels = graft.plan.levels
    channels = tuple(tap.shape.channels for tap in graft.plan.taps)
    numbers = (parameter_count(graft), count_macs(model))
    return Row(family, model, levels, channels, *numbers, _fed(graft), verdicts)


def verdict(model: str, decoder: str, sizes: Sequence[tuple[int, int]]) -> str:
    """ "ok" when every output has its input's size and the backbone's ends get a gradient."""
    try:
        network = _built(model, decoder).eval()
        reasons = [_reason(network, size) for size in sizes]
    except Exception as error:  # whatever stops a network is the reason that is listed
        return _first_line(error)
    return next((reason for reason in reasons if reason), OK)


def _reason(network: SegmentationModel, size: tuple[int, int]) -> str:
    network.zero_grad()
    # in eval mode LeViT and its kin keep tables, with their graph, until they train again
    network.train().eval()
    logits = network(torch.rand(1, 3, *size))
    if logits.shape[2:] != size:
        return f"{size[0]}x{size[1]} gives {logits.shape[2]}x{logits.shape[3]}"
    logits.square().mean().backward()
    named = network.encoder.get_submodule("graft").named_parameters()
    parameters = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    dead = [name for name, p in (parameters[0], parameters[-1]) if not _has_gradient(p)]
    return f"{size[0]}x{size[1]}: no finite gradient at {dead[0]}" if dead else ""


def shape_verdict(model: str, decoder: str, size: tuple[int, int] = _COUNTED_SIZE) -> str:
    """ "ok" when `model` builds and its output has the right shape, without computing anything."""
    try:
        with torch.device("meta"):
            logits = _built(model, decoder).eval()(torch.rand(1, 3, *size))
    except Exception as error:  # whatever stops a network is the reason that is listed
        return _first_line(error)
    return OK if tuple(logits.shape) == (1, 1, *size) else f"gives {tuple(logits.shape)}"


def count_macs(model: str) -> int:
    """Multiply-accumulate operations of the encoder on one image of 256 x 256."""
    with torch.device("meta"):
        encoder = _built(model, DECODERS[0]).encoder.eval()
        images = repeat_to_multiple(torch.rand(1, 3, *_COUNTED_SIZE), encoder.step)
        with FlopCounterMode(display=False) as counter:
            encoder(images)
    return int(counter.get_total_flops()) // 2


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """The table, a line at a time."""
    heads = (
        "family",
        "model",
        "reductions",
        "channels",
        "M parameters",
        "G MACs",
        "fed",
        *DECODERS,
    )
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        cells = (
            row.family,
            row.model,
            " ".join(str(level) for level in row.levels),
            " ".join(str(count) for count in row.channels),
            f"{row.parameters / 1e6:.1f}",
            f"{row.macs / 1e9:.2f}",
            row.fed,
            *row.verdicts,
        )
        yield "| " + " | ".join(cells) + " |"


def _built(model: str, decoder: str) -> SegmentationModel:
    return build_model(ModelSpec(decoder=decoder, encoder=model, weights=None), classes=1)


def _size(model: str) -> int:
    with torch.device("meta"):
        network: nn.Module = timm.create_model(model)
    return sum(parameter.numel() for parameter in network.parameters())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _has_gradient(parameter: Tensor) -> bool:
    gradient = parameter.grad
    return gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())


def _fed(graft: Graft) -> str:
    """How images are adapted to the network, in words; "as they are" for most."""
    plan = graft.plan
    ways = []
    if plan.zoom != 1:
        ways.append(f"scaled by {plan.zoom}")
    if plan.tile:
        ways.append(f"tiles of {plan.probe[0]}")
    elif plan.step > LEVELS[-1]:
        ways.append(f"multiples of {plan.step}")
    if plan.grid.margin:
        ways.append(f"padded by {plan.grid.left} + {plan.grid.margin - plan.grid.left}")
    return ", ".join(ways) or "as they are"
