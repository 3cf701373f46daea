"""Layers that several decoders are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.size import Size


def convolution(
    channels: int, out: int, kernel: int = 3, dilation: int = 1, stride: int = 1
) -> nn.Sequential:
    """Convolution of the same size, or of a `stride`-th of it, batch normalisation, ReLU."""
    linear = normalised(channels, out, kernel, stride, dilation)
    return nn.Sequential(*linear, nn.ReLU(inplace=True))


def normalised(
    channels: int, out: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution of the same size, or of a `stride`-th of it, and batch normalisation."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(out),
    )


class OwnStart(nn.Module):
    """A layer with first weights of its own, kept where a decoder is given those of SMP."""

    def start(self) -> None:
        """Set the first weights."""
        raise NotImplementedError


class Deepest(nn.Module):
    """[image, five features] -> the deepest one."""

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return features[-1]


class PooledNorm(nn.BatchNorm2d):
    """Batch normalisation of values pooled over whole images.

    In training an image that is alone in its batch is normalised by the running statistics, since
    one value has no deviation.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.numel() > input.shape[1]:
            return super().forward(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def binned(feature: Tensor, bins: int) -> Tensor:
    """N x c x H x W -> means of bins x bins rectangles, N x c x bins x bins.

    What `adaptive_avg_pool2d` computes, which cannot be exported for images of any size.
    """
    rows, columns = (_shares(side, bins, feature) for side in (feature.shape[2], feature.shape[3]))
    return rows @ feature @ columns.T


def _shares(side: int, bins: int, like: Tensor) -> Tensor:
    """Of each bin, how much each place counts, bins x side; bins overlap where they must."""
    places = torch.arange(side, device=like.device)
    numbers = torch.arange(bins, device=like.device)[:, None]
    begins, ends = numbers * side // bins, ((numbers + 1) * side + bins - 1) // bins
    inside = (places >= begins) & (places < ends)
    return (inside / inside.sum(dim=1, keepdim=True)).to(like.dtype)


def resized(feature: Tensor, size: Size | torch.Size) -> Tensor:
    """N x c x h x w -> N x c x size, bilinear; corners are not aligned."""
    return F.interpolate(feature, size=tuple(size), mode="bilinear", align_corners=False)


def bilinear_upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """N x c x H x W -> N x c x factor*H x factor*W; learned, and bilinear at first.

    Each channel has a kernel of 2 * factor, and looks at the others with weight 0 at first.
    """
    layer = nn.ConvTranspose2d(
        channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False
    )
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(channels):
            layer.weight[channel, channel] = bilinear_kernel(factor)
    return layer


def bilinear_kernel(factor: int) -> Tensor:
    """The kernel, 2 * factor wide, by which a transposed convolution interpolates."""
    kernel = 2 * factor
    ramp = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / factor
    return ramp[:, None] * ramp
