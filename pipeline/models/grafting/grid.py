"""Brings feature maps that do not halve exactly onto the decoder's grid, pixels kept in place.

Valid convolutions (Inception, Xception, NASNet) leave fewer cells than the decoder expects, and
shift them. Stretching such a map would make it drift against the image, the more the further
right; so the input is padded by a measured number of pixels instead, and whole cells are
cropped from the maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pipeline.models.grafting.probe import WithFeatures, in_eval_mode, own_tensors, recorded
from pipeline.models.grafting.shapes import to_nchw
from pipeline.models.grafting.taps import Tap

_RAMP_SIZE = (96, 512)
_SLOPE = 1e-4


@dataclass(frozen=True)
class Grid:
    """How an input is padded (pixels) and where each level's crop starts (cells).

    left: pixels added above and to the left; margin: pixels added in all, per axis.
    """

    left: int
    margin: int
    starts: tuple[int, ...]


def measure_offsets(backbone: nn.Module, taps: Sequence[Tap]) -> list[float]:
    """The pixel that the centre of cell 0 of each tap stands for; cell i stands for i strides more.

    Every weight is replaced by an average, so that the network shows, of an image whose value
    is the position, the position that each cell looks at: the centre of mass of what it sees.
    A rising and a falling ramp cancel what a maximum prefers. Where the network lets no ramp
    through, its maps are taken to be centred.
    """
    height, width = _RAMP_SIZE
    position = torch.arange(width, dtype=torch.float32, device="cpu") - (width - 1) / 2
    ramps = torch.stack([1 + _SLOPE * position, 1 - _SLOPE * position, torch.ones_like(position)])
    images = ramps[:, None, None].expand(3, 3, height, width)
    state = {f"backbone.{name}": _averaging(name, t) for name, t in own_tensors(backbone)}
    names = [tap.module for tap in taps]
    with torch.no_grad(), in_eval_mode(backbone), recorded(backbone, names) as outputs:
        functional_call(WithFeatures(backbone), state, (images,), tie_weights=False)
    return [_offset(outputs[tap.module], tap) for tap in taps]


def _averaging(name: str, tensor: Tensor) -> Tensor:
    """The replacement for one tensor of the network's state: means, ones and zeros."""
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")
    value = 1.0 / tensor[0].numel() if tensor.ndim > 1 else 1.0
    if tensor.ndim == 1 and name.endswith(("bias", "running_mean")):
        value = 0.0
    return torch.full(tensor.shape, value, dtype=torch.float32, device="cpu")


def _offset(output: Tensor, tap: Tap) -> float:
    _, width = _RAMP_SIZE
    cells = to_nchw(output, tap.shape.layout, tap.shape.prefix, (0, 0)).mean(dim=(1, 2))
    middle = cells.shape[-1] // 2
    rising, falling, flat = (float(row[middle]) for row in cells)
    centred = (width - tap.shape.stride * (cells.shape[-1] - 1) - 1) / 2
    if not math.isfinite(rising) or abs(flat) < 1e-9 or abs(rising - falling) > abs(flat):
        return centred
    seen = (rising - falling) / 2 / flat / _SLOPE + (width - 1) / 2
    return seen - middle * tap.shape.stride


def choose_left(strides: Sequence[int], offsets: Sequence[float]) -> tuple[int, tuple[int, ...]]:
    """The padding (pixels) and the crops (cells) that bring every level nearest to its place.

    Cell i of a level of stride s should stand for the pixels i*s .. i*s + s - 1, whose centre is
    i*s + (s - 1) / 2; no crop may start before the first cell.
    """

    def plan(left: int) -> tuple[float, int, tuple[int, ...]]:
        wanted = [
            ((s - 1) / 2 - offset + left) / s for s, offset in zip(strides, offsets, strict=True)
        ]
        starts = tuple(max(0, round(start)) for start in wanted)
        error = max(abs(start - want) for start, want in zip(starts, wanted, strict=True))
        return round(error, 3), left, starts

    _, left, starts = min(plan(left) for left in range(2 * max(strides)))
    return left, starts
