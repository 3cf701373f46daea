"""CRF as a recurrent network: mean-field iterations as layers that are learned end to end.

S. Zheng et al., "Conditional Random Fields as Recurrent Neural Networks", ICCV 2015. Different from
the paper: a pixel looks at a window of cells (M. Teichmann, R. Cipolla, "Convolutional CRFs for
Semantic Segmentation", 2018) and not at the whole image, so the place needs no deviation in the
kernel of place and colour; logits are refined at half their size, and what changed is added to
them; classes that may overlap have a binary field each.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.config.crf_rnn import CrfRnn
from pipeline.models.decoders.layers import resized

_TINY = 1e-6


class CrfRnnLayers(nn.Module):
    """Logits N x C x H x W and the normalised image N x c x H x W -> refined logits.

    H and W are multiples of `stride`. Learned: the weight of each of two kernels for each class,
    and the compatibility C x C, at first that of Potts: a class speaks for itself alone.
    """

    smoothing: Tensor

    def __init__(self, settings: CrfRnn, classes: int) -> None:
        super().__init__()
        self.settings, self.stride = settings, settings.stride
        self.weights = nn.Parameter(torch.ones(2, classes, 1, 1))
        self.compatibility = nn.Parameter(torch.eye(classes))
        self.register_buffer("smoothing", _gaussian(settings), persistent=False)

    def forward(self, logits: Tensor, image: Tensor) -> Tensor:
        """Refined logits, as large."""
        unary = F.avg_pool2d(logits, self.stride)
        kernels = self._kernels(F.avg_pool2d(image, self.stride))
        ones = torch.ones_like(unary[:, :1])
        alike_sum, near_sum = self._alike(kernels, ones), self._near(ones)
        field = unary
        given = self.settings
        for _ in range(given.train_iterations if self.training else given.iterations):
            state = field.softmax(dim=1) if given.exclusive else torch.tanh(field / 2)
            alike = self._alike(kernels, state) / (alike_sum + _TINY)
            message = self.weights[0] * alike + self.weights[1] * self._near(state) / near_sum
            field = unary + torch.einsum("kc,nchw->nkhw", self.compatibility, message)
        return logits + resized(field - unary, logits.shape[2:])

    def _kernels(self, image: Tensor) -> list[Tensor]:
        """Of each offset, how alike the colours there are, N x 1 x h x w; 0 outside the image."""
        reach, scale = self.settings.radius, 2 * self.settings.colour**2
        padded = F.pad(image, [reach] * 4)
        inside = F.pad(torch.ones_like(image[:, :1]), [reach] * 4)
        size = image.shape[2:]
        return [
            torch.exp(-(there - image).square().sum(dim=1, keepdim=True) / scale) * known
            for there, known in zip(
                _shifted(padded, size, reach), _shifted(inside, size, reach), strict=True
            )
        ]

    def _alike(self, kernels: list[Tensor], state: Tensor) -> Tensor:
        reach = self.settings.radius
        padded, total = F.pad(state, [reach] * 4), torch.zeros_like(state)
        for kernel, there in zip(kernels, _shifted(padded, state.shape[2:], reach), strict=True):
            total = total + kernel * there
        return total

    def _near(self, state: Tensor) -> Tensor:
        alone = state.flatten(0, 1)[:, None]
        return F.conv2d(alone, self.smoothing, padding=self.settings.radius).view_as(state)


def _shifted(padded: Tensor, size: torch.Size, reach: int) -> Iterator[Tensor]:
    """What stands at each offset of the window but its middle."""
    height, width = size
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            if (down, right) != (reach, reach):
                yield padded[..., down : down + height, right : right + width]


def _gaussian(settings: CrfRnn) -> Tensor:
    """1 x 1 x side x side, 0 in the middle: a pixel says nothing to itself."""
    places = torch.arange(-settings.radius, settings.radius + 1).float()
    line = torch.exp(-places.square() / (2 * settings.near**2))
    kernel = line[:, None] * line
    kernel[settings.radius, settings.radius] = 0
    return kernel[None, None]
