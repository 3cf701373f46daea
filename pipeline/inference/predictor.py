"""From images to probability maps at the images' own size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config import InferConfig
from pipeline.config.choices import MapDtype
from pipeline.data.image_sources.source import PixelRows, Pixels
from pipeline.data.resize import resize_image, working_size
from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory
from pipeline.inference.device_memory import fetched_later, fitting, uploaded
from pipeline.inference.map_resize import resized_bands
from pipeline.inference.passes import Passes
from pipeline.inference.tiled import TiledImages
from pipeline.inference.tiles import fits_tile
from pipeline.size import Size

ImageMaps = list[NDArray[Any]]
"""The maps CHW of several images by one model: float32 probabilities, or as they are stored."""


class Predictor:
    """Averages networks (the members of a model) and views (TTA) of images.

    Views are stacked into forward passes of `infer.batch` images, fewer when the device's memory
    says so. On a CPU each image goes by itself in passes of a fixed size, so that its map depends,
    bit for bit, on nothing but the image. An image larger than `infer.tile` goes by itself, tile by
    tile (`bands`).
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
        stored: MapDtype | None = None,
    ) -> None:
        """scale: the divisor of pixel values before a network (`ImageSource.scale`); stored: what
        the maps will be stored as, and come from a GPU as.
        """
        self._stored = stored
        self._device = torch.device(device)
        self._tile = settings.tile
        self._resize = resize
        self._scale = scale
        self._passes = Passes(networks, settings, multiclass=multiclass, device=device)
        tile = settings.tile
        self._tiled = None if tile is None else TiledImages(self._passes, tile, scale)
        self.images = 1 if self._device.type == "cpu" else settings.batch
        """Number of images that are predicted together."""

    def predict(self, images: Sequence[Pixels]) -> ImageMaps:
        """HWC images of any sizes, one type → CHW maps, each at its image's size.

        Raises ResourceError when not even one image, or one tile of it, fits the device.
        """
        return self.start(images)()

    def start(self, images: Sequence[Pixels]) -> Callable[[], ImageMaps]:
        """Begin to predict; the returned function, called once, waits for the maps.

        In between an accelerator computes, and the caller can prepare the next images. A CPU has
        computed all when this returns.
        """
        parts: list[tuple[Sequence[int], Callable[[], Iterable[NDArray[Any]]]]] = []
        for size in dict.fromkeys((image.shape[0], image.shape[1]) for image in images):
            alike = [place for place, image in enumerate(images) if image.shape[:2] == size]
            if self.tiles(size):
                for place in alike:
                    whole = [self._whole(images[place])]
                    parts.append(([place], lambda whole=whole: whole))  # type: ignore[misc]
                continue
            while alike:
                places = alike[: self.images]
                maps = fitting(self._start_alike, [images[place] for place in places])
                if maps is None:
                    self._halve_images(len(places), size)
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

    @property
    def may_tile(self) -> bool:
        """True if large images are predicted in tiles."""
        return self._tile is not None

    def tiles(self, size: Size) -> bool:
        """True for an image of (H, W) that is predicted in tiles."""
        return self._tile is not None and not fits_tile(
            working_size(size, self._resize), self._tile.size
        )

    def any_bands(self, image: PixelRows) -> Iterator[NDArray[Any]]:
        """`bands`, or the whole map of an image that is not predicted in tiles."""
        if self.tiles((image.shape[0], image.shape[1])):
            return self.bands(image)
        return iter(self.predict([image[:]]))

    @torch.inference_mode()
    def bands(self, image: PixelRows) -> Iterator[NDArray[Any]]:
        """The map of an image that is predicted in tiles: CxhxW, some rows after others.

        Besides the networks' own, memory is taken by rows: what a row of tiles sums up to
        (float32), its pixels, and the rows that come back. With `input.resize` the image is
        resized whole, in its own type. Raises ResourceError when not even one tile fits.
        """
        assert self._tiled is not None
        own = (image.shape[0], image.shape[1])
        size = working_size(own, self._resize)
        try:
            seen = image if size == own else resize_image(image[:], size)
            yield from _one_later(resized_bands(self._tiled.bands(seen), size, own), self._stored)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(
                f"one image of {own[0]}×{own[1]} does not fit into memory, although it is "
                f"predicted in tiles ({error}); set a smaller infer.tile"
            ) from error

    def _whole(self, image: Pixels) -> NDArray[Any]:
        """The map of an image that is predicted in tiles, for who wants it whole."""
        maps: NDArray[Any] | None = None
        top = 0
        for band in self.bands(image):
            if maps is None:
                maps = np.empty((len(band), *image.shape[:2]), band.dtype)
            maps[:, top : top + band.shape[1]] = band
            top += band.shape[1]
        assert maps is not None
        return maps

    def _halve_images(self, count: int, size: Size) -> None:
        if count == 1:
            raise ResourceError(
                f"one image of {size[0]}×{size[1]} does not fit {self._device}; set infer.tile, a "
                "smaller infer.precision, or fewer views in infer.tta"
            )
        self.images = count // 2

    @torch.inference_mode()
    def _start_alike(self, images: Sequence[Pixels]) -> Callable[[], NDArray[Any]]:
        """`start` for a few images of one size, whose maps are N×classes×H×W."""
        own = (images[0].shape[0], images[0].shape[1])
        size = working_size(own, self._resize)
        resized = [resize_image(each, size) for each in images]
        maps = self._passes.merged(uploaded(resized, self._scale, self._device))
        if size != own:
            maps = F.interpolate(maps, size=own, mode="bilinear", align_corners=False).clamp_(0, 1)
        return fetched_later(maps, self._stored)


def _one_later(bands: Iterable[Tensor], stored: MapDtype | None) -> Iterator[NDArray[Any]]:
    """The bands on the host; each is waited for when the next one is under way."""
    before: Callable[[], NDArray[Any]] | None = None
    for band in bands:
        copied = fetched_later(band, stored)
        if before is not None:
            yield before()
        before = copied
    if before is not None:
        yield before()
