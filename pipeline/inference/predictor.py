"""From images to probability maps at the images' own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config import InferConfig, TileConfig
from pipeline.config.choices import TileWeights
from pipeline.data.image_sources.source import Pixels
from pipeline.data.resize import resize_image, working_size
from pipeline.errors import ResourceError
from pipeline.inference.device_memory import DoesNotFitError, fetched_later, fitting, host_tensor
from pipeline.inference.merge import RunningMerge
from pipeline.inference.precision import autocast, resolve
from pipeline.inference.tiles import Tile, TileMerger, plan_tiles, tile_weights
from pipeline.inference.tta import View, group_by_shape, parse_tta
from pipeline.models.padding import mirror_to_multiple
from pipeline.size import Size

ImageMaps = list[NDArray[np.float32]]
"""The probability maps CHW of several images by one model."""
PADDING_MULTIPLE = 32
CPU_BATCH = 8


class Predictor:
    """Averages networks (the folds of a model) and views (TTA) of images.

    Views, and tiles where asked for, are stacked into forward passes of `infer.batch` images,
    fewer when the device's memory says so. On a CPU each image goes by itself in passes of a
    fixed size, so that its map depends, bit for bit, on nothing but the image.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        settings: InferConfig,
        *,
        resize: float | Size | None,
        multiclass: bool,
        scale: float,
        device: str,
    ) -> None:
        """scale: the divisor of pixel values before a network (`ImageSource.scale`)."""
        self._device = torch.device(device)
        self._settings = settings
        self._networks = [self._prepared(network) for network in networks]
        self._views = parse_tta(settings.tta)
        self._weights: dict[Size, Tensor] = {}
        self._resize = resize
        self._multiclass = multiclass
        self._scale = scale
        self._precision = resolve(settings.precision, device)
        on_cpu = self._device.type == "cpu"
        self.images = 1 if on_cpu else settings.batch
        """Number of images that are predicted together."""
        self._batch = CPU_BATCH if on_cpu else settings.batch

    def predict(self, images: Sequence[Pixels]) -> ImageMaps:
        """HWC images of any sizes, one type → CHW float32 probabilities, each at its image's size.

        Raises ResourceError when not even one image fits the device.
        """
        return self.start(images)()

    def start(self, images: Sequence[Pixels]) -> Callable[[], ImageMaps]:
        """Begin to predict; the returned function, called once, waits for the maps.

        In between an accelerator computes, and the caller can prepare the next images. A CPU has
        computed all when this returns.
        """
        parts: list[tuple[Sequence[int], Callable[[], NDArray[np.float32]]]] = []
        for size in dict.fromkeys(image.shape[:2] for image in images):
            alike = [place for place, image in enumerate(images) if image.shape[:2] == size]
            while alike:
                places = alike[: self.images]
                maps = fitting(self._start_alike, [images[place] for place in places])
                if maps is None:
                    self._halve_images(len(places), (size[0], size[1]))
                    continue
                parts.append((places, maps))
                alike = alike[len(places) :]

        def finish() -> ImageMaps:
            maps = {
                place: one
                for places, those in parts
                for place, one in zip(places, those(), strict=True)
            }
            return [maps[place] for place in range(len(images))]

        return finish

    def _halve_images(self, count: int, size: Size) -> None:
        if count == 1:
            raise ResourceError(
                f"one image of {size[0]}×{size[1]} does not fit {self._device}; set infer.tile, a "
                "smaller infer.precision, or fewer views in infer.tta"
            )
        self.images = count // 2

    @torch.inference_mode()
    def _start_alike(self, images: Sequence[Pixels]) -> Callable[[], NDArray[np.float32]]:
        """`start` for a few images of one size, whose maps are N×classes×H×W."""
        own = (images[0].shape[0], images[0].shape[1])
        size = working_size(own, self._resize)
        resized = [resize_image(each, size) for each in images]
        dtype = torch.from_numpy(np.empty(0, resized[0].dtype)).dtype
        stacked = host_tensor((len(images), *resized[0].shape), dtype, self._device)
        np.stack(resized, out=stacked.numpy())
        on_device = stacked.to(self._device, non_blocking=True)
        maps = self._merged(on_device.permute(0, 3, 1, 2).float().div_(self._scale), size)
        if size != own:
            maps = F.interpolate(maps, size=own, mode="bilinear", align_corners=False).clamp_(0, 1)
        return fetched_later(maps)

    def _merged(self, inputs: Tensor, size: Size) -> Tensor:
        """N×classes×H×W: all views by all networks, merged."""
        merge = RunningMerge(self._settings.mean, multiclass=self._multiclass)
        for views in self._together(size, len(inputs)):
            stacked = torch.cat([view.apply(inputs) for view in views])
            for network in self._networks:
                probabilities = self._of_any_size(network, stacked)
                for view, maps in zip(views, probabilities.chunk(len(views)), strict=True):
                    merge.add(view.undo(maps, size))
        return merge.result()

    def _together(self, size: Size, images: int) -> Iterator[list[View]]:
        """Views of one shape, as many as fit into one pass."""
        most = max(1, self._batch // images)
        for views in group_by_shape(self._views, size):
            for start in range(0, len(views), most):
                yield views[start : start + most]

    def _of_any_size(self, network: nn.Module, inputs: Tensor) -> Tensor:
        tile = self._settings.tile
        if tile is None or all(a <= b for a, b in zip(inputs.shape[2:], tile.size, strict=True)):
            return self._in_batches(network, inputs)
        return self._in_tiles(network, inputs, tile)

    def _in_tiles(self, network: nn.Module, inputs: Tensor, tile: TileConfig) -> Tensor:
        """Weighted means of overlapping tiles; a batch may hold tiles of several images."""
        size = (inputs.shape[2], inputs.shape[3])
        tiles = plan_tiles(size, tile.size, tile.overlap)
        merger: TileMerger[int] = TileMerger(self._weights_of(tiles[0], tile.weights))
        pairs = [(number, each) for number in range(len(inputs)) for each in tiles]
        for number in range(len(inputs)):
            merger.expect(number, size, tiles)
        whole: list[Tensor] = []
        for start in range(0, len(pairs), self._batch):
            chosen = pairs[start : start + self._batch]
            stacked = torch.stack([inputs[number][:, *each.area] for number, each in chosen])
            maps = self._in_batches(network, stacked)
            finished = [merger.add(*pair, one) for pair, one in zip(chosen, maps, strict=True)]
            whole.extend(one for one in finished if one is not None)
        return torch.stack(whole)

    def _weights_of(self, tile: Tile, kind: TileWeights) -> Tensor:
        """`tile_weights`, made and copied once, since each copy waits for the device."""
        size = (tile.height, tile.width)
        if size not in self._weights:
            self._weights[size] = tile_weights(size, kind).to(self._device)
        return self._weights[size]

    def _in_batches(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Passes of as many images as fit the device; a pass that does not is halved."""
        done: list[Tensor] = []
        start = 0
        while start < len(inputs):
            chunk = inputs[start : start + self._batch]
            maps = fitting(self._probabilities, network, chunk)
            if maps is not None:
                done.append(maps)
                start += len(chunk)
            elif len(chunk) == 1:
                raise DoesNotFitError
            else:
                self._batch = len(chunk) // 2
        return torch.cat(done)

    def _probabilities(self, network: nn.Module, inputs: Tensor) -> Tensor:
        padded, crop = mirror_to_multiple(inputs, PADDING_MULTIPLE)
        if self._settings.channels_last:
            padded = padded.contiguous(memory_format=torch.channels_last)
        with autocast(self._device, self._precision):
            logits = network(padded)
        logits = crop(logits).float()
        return logits.softmax(dim=1) if self._multiclass else logits.sigmoid()

    def _prepared(self, network: nn.Module) -> nn.Module:
        network = network.to(self._device).eval()
        if self._settings.channels_last:
            network = network.to(memory_format=torch.channels_last)
        if self._settings.compile:
            network.compile()
        return network
