"""From images to probability maps at the images' own size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.competition.geometry import resize_image, working_size
from pipeline.config import InferConfig
from pipeline.inference.merge import RunningMerge
from pipeline.inference.padding import pad_to_multiple
from pipeline.inference.precision import autocast, resolve
from pipeline.inference.tta import group_by_shape, parse_tta

Size = tuple[int, int]
PADDING_MULTIPLE = 32


class Predictor:
    """Averages networks (the folds of a model) and views (TTA) of images.

    On a CPU every image goes through by itself, so that maps do not depend, bit for bit, on which
    images share a batch. On an accelerator `infer.batch` images of one size share a batch, and a
    batch that does not fit its memory is halved.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        settings: InferConfig,
        *,
        resize: float | Size | None,
        exclusive: bool,
        device: str,
    ) -> None:
        self._networks = [network.to(device).eval() for network in networks]
        self._settings = settings
        self._views = parse_tta(settings.tta)
        self._resize = resize
        self._exclusive = exclusive
        self._device = torch.device(device)
        self._precision = resolve(settings.precision, device)
        self._batch = 1 if self._device.type == "cpu" else settings.batch

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """HWC uint8 images of any sizes → CHW float32 probabilities, each at its image's size."""
        maps: dict[int, NDArray[np.float32]] = {}
        for size in dict.fromkeys(image.shape[:2] for image in images):
            alike = [place for place, image in enumerate(images) if image.shape[:2] == size]
            for place, each in zip(
                alike, self._predict_alike([images[i] for i in alike]), strict=True
            ):
                maps[place] = each
        return [maps[place] for place in range(len(images))]

    def _predict_alike(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """`predict` for images of one size, halving the batch while it does not fit."""
        done: list[NDArray[np.float32]] = []
        while len(done) < len(images):
            batch = images[len(done) : len(done) + self._batch]
            try:
                done.extend(self._predict_batch(batch))
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self._batch = len(batch) // 2
                torch.cuda.empty_cache()
        return done

    @torch.inference_mode()
    def _predict_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        own = (images[0].shape[0], images[0].shape[1])
        size = working_size(own, self._resize)
        stacked = torch.from_numpy(np.stack([resize_image(each, size) for each in images]))
        inputs = stacked.to(self._device).permute(0, 3, 1, 2).float().div_(255)
        maps = self._merged(inputs, size)
        if size != own:
            maps = F.interpolate(maps, size=own, mode="bilinear", align_corners=False).clamp_(0, 1)
        return list(maps.cpu().numpy())

    def _merged(self, inputs: Tensor, size: Size) -> Tensor:
        """N×classes×H×W: all views by all networks, merged."""
        merge = RunningMerge(self._settings.merge, exclusive=self._exclusive)
        for views in group_by_shape(self._views, size):
            stacked = torch.cat([view.apply(inputs) for view in views])
            for network in self._networks:
                probabilities = self._probabilities(network, stacked)
                for view, maps in zip(views, probabilities.chunk(len(views)), strict=True):
                    merge.add(view.undo(maps, size))
        return merge.result()

    def _probabilities(self, network: nn.Module, inputs: Tensor) -> Tensor:
        padded, crop = pad_to_multiple(inputs, PADDING_MULTIPLE)
        if self._settings.channels_last and self._device.type != "cpu":
            padded = padded.contiguous(memory_format=torch.channels_last)
        with autocast(self._device, self._precision):
            logits = network(padded)
        logits = crop(logits).float()
        return logits.softmax(dim=1) if self._exclusive else logits.sigmoid()
