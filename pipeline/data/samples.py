"""The network input and the ground truth of a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.channels import Channels
from pipeline.config import DataConfig, FrameConfig, InputConfig
from pipeline.data.catalog import Sample
from pipeline.data.frame import bands_without_padding, into_frame, without_padding
from pipeline.data.ground_truth import Truth
from pipeline.data.image_sources.registry import image_source, shown_bands
from pipeline.data.image_sources.source import ImageSource, PixelRows, Pixels
from pipeline.data.masks.format import MaskFormat
from pipeline.data.masks.registry import mask_format
from pipeline.errors import DataError
from pipeline.size import Size


def aligned_path(folder: Path, sample: Sample, source: ImageSource) -> Path:
    """Where the aligned reference of a sample is."""
    return folder / sample.part / f"{sample.id}{source.suffix}"


@dataclass(frozen=True)
class SampleReader:
    """Reads samples of one experiment. Cheap to pickle: tables are read again where needed."""

    data: DataConfig
    aligned: Path | None = None
    """Folder of references that `align` has brought onto their images."""
    objects: bool = False
    """Whether decoded samples tell which object a pixel belongs to, where masks do."""

    @property
    def channels(self) -> Channels:
        """Of an image, and of its reference behind it."""
        source, references = self.source, self.aligned is not None
        return Channels(source.channels, references=references, scale=source.scale)

    def channels_for(self, shown: InputConfig) -> Channels:
        """The same, with those that a network is shown."""
        return replace(self.channels, shown=shown_bands(self.source, shown))

    @cached_property
    def source(self) -> ImageSource:
        """How the images of the experiment are read."""
        return image_source(self.data)

    def image(self, sample: Sample) -> Pixels:
        """The network input: HWC with `channels.total` channels, moved and padded by `data.frame`.

        DataError names the file that cannot be read.
        """
        return into_frame(self._stacked(sample), self.data.frame)

    def rows(self, sample: Sample) -> PixelRows:
        """`image`, some rows at a time where its format can be decoded so. Else the whole image:
        also where it has a reference, and where `data.frame` moves or pads it.
        """
        if self.aligned is not None or self.data.frame != FrameConfig():
            return self.image(sample)
        return self.source.rows(sample.image)

    def seen_size(self, sample: Sample) -> Size:
        """H, W of `image`, from the header of its file."""
        (height, width), pad = self.picture_size(sample), self.data.frame.pad
        return height + 2 * pad, width + 2 * pad

    def picture_size(self, sample: Sample) -> Size:
        """H, W of `picture`, from the header of its file."""
        return self.source.size_of(sample.image)

    def picture(self, sample: Sample) -> NDArray[np.uint8]:
        """The image below the sample's mask: HWC uint8 RGB of the image's own size."""
        return self.picture_of(self.source.read(sample.image))

    def picture_of(self, pixels: Pixels) -> NDArray[np.uint8]:
        """The same of pixels as their source reads them."""
        frame = self.data.frame.model_copy(update={"pad": 0})
        return into_frame(self.source.shown(pixels), frame)

    def own_size(self, image: PixelRows) -> Size:
        """H, W of the sample that `image` was read from."""
        pad = self.data.frame.pad
        return image.shape[0] - 2 * pad, image.shape[1] - 2 * pad

    def own_bands(self, bands: Iterable[NDArray[Any]], seen_height: int) -> Iterator[NDArray[Any]]:
        """`own_maps` of a map that comes in bands CxhxW, top to bottom."""
        return bands_without_padding(bands, self.data.frame.pad, seen_height)

    def own_maps(self, maps: NDArray[Any]) -> NDArray[Any]:
        """CHW maps of what networks see -> those of the sample itself."""
        return without_padding(maps, self.data.frame.pad)

    def _stacked(self, sample: Sample) -> Pixels:
        image = self.source.read(sample.image)
        if self.aligned is None:
            return image
        reference = self.source.read_written(aligned_path(self.aligned, sample, self.source))
        if reference.shape != image.shape:
            raise DataError(f"{sample.id}: its aligned reference has another size; run align again")
        return np.concatenate([image, reference], axis=2)

    def truth(self, sample: Sample, size: Size) -> Truth:
        """The truth of a training sample whose image has that H, W."""
        return self._masks.read(sample.id, sample.masks, size)

    @cached_property
    def _masks(self) -> MaskFormat:
        return mask_format(self.data)

    def __reduce__(self) -> tuple[type[SampleReader], tuple[DataConfig, Path | None, bool]]:
        return SampleReader, (self.data, self.aligned, self.objects)
