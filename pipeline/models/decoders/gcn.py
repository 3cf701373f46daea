"""Global convolutional network (Peng et al. 2017, arXiv 1703.02719).

Large kernels, k x 1 and 1 x k in both orders, classify each feature; residual blocks refine the
boundaries of the scores before and after each doubling of the size, which is bilinear here (in
the paper it is learned). k is 7 in public code, and up to 15 in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.decoders.layers import resized
from pipeline.models.decoders.parts import Features, Parts


def gcn(features: Features, classes: int, *, k: int = 7) -> Parts:
    """Global convolutional network (Peng et al. 2017).

    k: the side of the large kernels, odd; ConfigError where it is not.
    """
    if k < 1 or k % 2 == 0:
        raise ConfigError(f"options.k: {k}: a kernel has a centre; set an odd number, such as 7")
    return Parts(GcnDecoder(features.channels[1:], classes, k), _Enlarging(classes))


class GcnDecoder(nn.Module):
    """[image, five features] -> scores N x classes x H/4 x W/4; channels: of the last four."""

    def __init__(self, channels: Sequence[int], classes: int, k: int) -> None:
        super().__init__()
        self.large = nn.ModuleList(_LargeKernel(each, classes, k) for each in channels)
        self.refine = nn.ModuleList(_Refinement(classes) for _ in channels)
        self.refine_sums = nn.ModuleList(_Refinement(classes) for _ in channels[1:])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        steps = zip(self.refine, self.large, features[2:], strict=True)
        *finer, total = [refine(large(feature)) for refine, large, feature in steps]
        for refine, scores in zip(self.refine_sums, finer[::-1], strict=True):
            total = refine(scores + resized(total, scores.shape[2:]))
        deepest: Tensor = total
        return deepest


class _LargeKernel(nn.Module):
    """N x c x H x W -> N x classes x H x W with a view of k x k."""

    def __init__(self, channels: int, classes: int, k: int) -> None:
        super().__init__()
        tall, wide = (k, 1), (1, k)
        self.paths = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, classes, first, padding="same"),
                nn.Conv2d(classes, classes, second, padding="same"),
            )
            for first, second in ((tall, wide), (wide, tall))
        )

    def forward(self, feature: Tensor) -> Tensor:
        one, other = self.paths
        total: Tensor = one(feature) + other(feature)
        return total


class _Refinement(nn.Module):
    """Scores and what two convolutions add to them."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(classes, classes, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(classes, classes, 3, padding=1),
        )

    def forward(self, scores: Tensor) -> Tensor:
        total: Tensor = scores + self.branch(scores)
        return total


class _Enlarging(nn.Module):
    """Scores at 1/4 -> at 1/2 -> at the size of the image, each refined."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.refine = nn.ModuleList(_Refinement(classes) for _ in range(2))

    def forward(self, scores: Tensor) -> Tensor:
        for refine in self.refine:
            height, width = scores.shape[2:]
            scores = refine(resized(scores, (2 * height, 2 * width)))
        return scores
