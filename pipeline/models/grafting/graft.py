"""A backbone that is tapped while it runs, as its plan says."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.grafting.backbones import colour_statistics
from pipeline.models.grafting.plan import BEYOND, LEVELS, Plan
from pipeline.models.grafting.probe import features_forward
from pipeline.models.grafting.shapes import to_nchw


class _Keep:
    """A forward hook that keeps a module's output; a class, so that copies of a graft work."""

    def __init__(self, store: dict[str, Tensor], name: str) -> None:
        self.store = store
        self.name = name

    def __call__(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self.store[self.name] = output


class Graft(nn.Module):
    """Images N x C x H x W, normalised, H and W multiples of `plan.step` -> the features by level.

    The backbone is run as it is; a feature of level r has stride r, or less where it is dilated,
    and lies on the grid whose cell 0 stands for the first pixels of the image.
    ends_with_pool: whether the deepest feature is but the one before it, pooled (VGG).
    """

    def __init__(self, backbone: nn.Module, plan: Plan) -> None:
        super().__init__()
        self.backbone = backbone
        self.plan = plan
        self.step = plan.step
        self.mean, self.std = colour_statistics(backbone)
        self.ends_with_pool = isinstance(backbone.get_submodule(plan.modules[-1]), nn.MaxPool2d)
        self._kept: dict[str, Tensor] = {}
        for name in plan.modules:
            backbone.get_submodule(name).register_forward_hook(_Keep(self._kept, name))

    @property
    def channels(self) -> dict[int, int]:
        """Channels by level."""
        channels = [tap.shape.channels for tap in self.plan.taps]
        by_level = dict(zip(self.plan.levels, channels, strict=True))
        if BEYOND in by_level:
            by_level[LEVELS[-1]] += by_level.pop(BEYOND)
        return by_level

    @property
    def output_stride(self) -> int:
        """The stride at the deepest level, whether the backbone has it or it is filled in."""
        strides = dict(zip(self.plan.levels, self.plan.strides(), strict=True))
        return strides.get(LEVELS[-1], LEVELS[-1])

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        height, width = images.shape[2:]
        taken = self._run(_fed(images, self.plan))
        strides = self.plan.strides()
        features = {
            level: feature[..., start : start + height // stride, start : start + width // stride]
            for level, feature, start, stride in zip(
                self.plan.levels, taken, self.plan.grid.starts, strides, strict=True
            )
        }
        return _joined_beyond(features)

    def _run(self, images: Tensor) -> list[Tensor]:
        """The tapped activations (N x c x h x w) of an image as the backbone takes it."""
        whole = (images.shape[2], images.shape[3])
        height, width = self.plan.probe if self.plan.tile else whole
        rows, columns = images.shape[2] // height, images.shape[3] // width
        features_forward(self.backbone)(cut(images, rows, columns))
        outputs = []
        for tap in self.plan.taps:
            cells = (height // tap.shape.stride, width // tap.shape.stride)
            output = in_image_order(self.backbone, tap.module, self._kept.pop(tap.module))
            feature = to_nchw(output, tap.shape.layout, tap.shape.prefix, cells)
            outputs.append(join(feature, rows, columns))
        return outputs


def _joined_beyond(features: dict[int, Tensor]) -> dict[int, Tensor]:
    """The feature at 1/64, where there is one, enlarged and put behind the channels of 1/32."""
    if BEYOND in features:
        deepest, beyond = features[LEVELS[-1]], features.pop(BEYOND)
        size = deepest.shape[2:]
        # the same size already where the stages are dilated
        enlarged = F.interpolate(beyond, size=size, mode="bilinear", align_corners=False)
        features[LEVELS[-1]] = torch.cat([deepest, enlarged], dim=1)
    return features


def in_image_order(backbone: nn.Module, module: str, output: Tensor) -> Tensor:
    """Hiera keeps its tokens (N x L x C) in the order of its mask units; it can undo that."""
    reroll = getattr(backbone, "reroll", None)
    return output if reroll is None else reroll(output, int(module.split(".")[1])).flatten(1, 2)


def _fed(images: Tensor, plan: Plan) -> Tensor:
    """The image as the backbone wants it: scaled to its stride, padded for its margins."""
    if plan.zoom != 1:
        size = [int(side * plan.zoom) for side in images.shape[2:]]
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
    if plan.grid.margin:
        before, after = plan.grid.left, plan.grid.margin - plan.grid.left
        images = F.pad(images, (before, after, before, after), mode="replicate")
    return images


def cut(images: Tensor, rows: int, columns: int) -> Tensor:
    """N x C x H x W -> (N * rows * columns) x C x H/rows x W/columns."""
    if rows * columns == 1:
        return images
    count, channels, height, width = images.shape
    tiles = images.reshape(count, channels, rows, height // rows, columns, width // columns)
    return tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def join(tiles: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `cut`."""
    if rows * columns == 1:
        return tiles
    _, channels, height, width = tiles.shape
    grid = tiles.reshape(-1, rows, columns, channels, height, width)
    return grid.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
