"""The exported network of a model: its members as one network that gives probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.config.choices import Mean
from pipeline.inference.merge import RunningMerge
from pipeline.inference.passes import PADDING_MULTIPLE
from pipeline.models.segmentation import SegmentationModel


class ExportedNetwork(nn.Module):
    """Images N×3×H×W float 0..1, H and W multiples of `step` → probabilities N×classes×H×W.

    The mean over the networks (the members of one model) is that of `infer.mean`; views, tiles and
    resizing stay outside.
    """

    def __init__(
        self,
        networks: Sequence[SegmentationModel],
        mean: Mean,
        *,
        multiclass: bool,
        scale: float,
    ) -> None:
        """scale: the divisor of pixel values (`ImageSource.scale`)."""
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.step = math.lcm(PADDING_MULTIPLE, *(network.step for network in networks))
        self.multiclass, self.scale, self._mean = multiclass, scale, mean
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """The merged probabilities."""
        merge = RunningMerge(self._mean, multiclass=self.multiclass)
        for network in self.networks:
            logits = network(images).float()
            merge.add(torch.softmax(logits, 1) if self.multiclass else torch.sigmoid(logits))
        return merge.result()
