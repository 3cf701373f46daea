"""From inputs on a device to probabilities: all networks by all views, in passes that fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from pipeline.config import InferConfig, TileConfig
from pipeline.config.choices import TileWeights
from pipeline.inference.device_memory import DoesNotFitError, fitting
from pipeline.inference.merge import RunningMerge
from pipeline.inference.precision import autocast, resolve
from pipeline.inference.tiles import Tile, TileMerger, fits_tile, plan_tiles, tile_weights
from pipeline.inference.tta import View, group_by_shape, parse_tta
from pipeline.models.padding import mirror_to_multiple
from pipeline.size import Size

PADDING_MULTIPLE = 32
CPU_BATCH = 8


class Passes:
    """The networks of a predictor and the views that they are shown.

    A forward pass has up to `most` inputs, and fewer once that many did not fit the device.
    """

    def __init__(
        self, networks: Sequence[nn.Module], settings: InferConfig, *, multiclass: bool, device: str
    ) -> None:
        self.device = torch.device(device)
        self._settings = settings
        self._networks = [self._prepared(network) for network in networks]
        self._views = parse_tta(settings.tta)
        self._weights: dict[Size, Tensor] = {}
        self._multiclass = multiclass
        self._precision = resolve(settings.precision, device)
        self.most = CPU_BATCH if self.device.type == "cpu" else settings.batch

    def merged(self, inputs: Tensor) -> Tensor:
        """N×channels×H×W in 0..1 → N×classes×H×W, float32: all views by all networks, merged."""
        size = (inputs.shape[2], inputs.shape[3])
        merge = RunningMerge(self._settings.mean, multiclass=self._multiclass)
        for views in self._together(size, len(inputs)):
            stacked = torch.cat([view.apply(inputs) for view in views])
            for network in self._networks:
                probabilities = self._of_any_size(network, stacked)
                for view, maps in zip(views, probabilities.chunk(len(views)), strict=True):
                    merge.add(view.undo(maps, size))
        return merge.result()

    def weights_of(self, tile: Tile, kind: TileWeights) -> Tensor:
        """`tile_weights`, made and copied once, since each copy waits for the device."""
        size = (tile.height, tile.width)
        if size not in self._weights:
            self._weights[size] = tile_weights(size, kind).to(self.device)
        return self._weights[size]

    def largest_view(self, size: Size) -> float:
        """The pixels of the largest view of an H×W image, as a multiple of its own."""
        areas = [height * width for height, width in (v.output_size(size) for v in self._views)]
        return max(areas) / (size[0] * size[1])

    def _together(self, size: Size, images: int) -> Iterator[list[View]]:
        """Views of one shape, as many as fit into one pass."""
        most = max(1, self.most // images)
        for views in group_by_shape(self._views, size):
            for start in range(0, len(views), most):
                yield views[start : start + most]

    def _of_any_size(self, network: nn.Module, inputs: Tensor) -> Tensor:
        tile = self._settings.tile
        if tile is None or fits_tile((inputs.shape[2], inputs.shape[3]), tile.size):
            return self._in_batches(network, inputs)
        return self._in_tiles(network, inputs, tile)

    def _in_tiles(self, network: nn.Module, inputs: Tensor, tile: TileConfig) -> Tensor:
        """Weighted means of overlapping tiles, for views that enlarge what fits a tile beyond it; a
        batch may hold tiles of several inputs.
        """
        size = (inputs.shape[2], inputs.shape[3])
        tiles = plan_tiles(size, tile.size, tile.overlap)
        merger: TileMerger[int] = TileMerger(self.weights_of(tiles[0], tile.weights))
        pairs = [(number, each) for number in range(len(inputs)) for each in tiles]
        for number in range(len(inputs)):
            merger.expect(number, size, tiles)
        whole: list[Tensor] = []
        start = 0
        while start < len(pairs):
            chosen = pairs[start : start + self.most]
            stacked = torch.stack([inputs[number][:, *each.area] for number, each in chosen])
            maps = self._in_batches(network, stacked)
            finished = [merger.add(*pair, one) for pair, one in zip(chosen, maps, strict=True)]
            whole.extend(one for one in finished if one is not None)
            start += len(chosen)
        return torch.stack(whole)

    def _in_batches(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Passes of as many inputs as fit the device; a pass that does not is halved."""
        done: list[Tensor] = []
        start = 0
        while start < len(inputs):
            chunk = inputs[start : start + self.most]
            maps = fitting(self._probabilities, network, chunk)
            if maps is not None:
                done.append(maps)
                start += len(chunk)
            elif len(chunk) == 1:
                raise DoesNotFitError
            else:
                self.most = len(chunk) // 2
        return done[0] if len(done) == 1 else torch.cat(done)

    def _probabilities(self, network: nn.Module, inputs: Tensor) -> Tensor:
        padded, crop = mirror_to_multiple(inputs, PADDING_MULTIPLE)
        if self._settings.channels_last:
            padded = padded.contiguous(memory_format=torch.channels_last)
        with autocast(self.device, self._precision):
            logits = network(padded)
        logits = crop(logits).float()
        return logits.softmax(dim=1) if self._multiclass else logits.sigmoid()

    def _prepared(self, network: nn.Module) -> nn.Module:
        network = network.to(self.device).eval()
        if self._settings.channels_last:
            network = network.to(memory_format=torch.channels_last)
        if self._settings.compile:
            network.compile()
        return network
