"""The first layer of a network that is shown bands: it chooses and normalises them.

Its numbers are weights: they are measured on the member's own training images, saved with the
network, and so the same in validation, inference, prediction and exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.channels import Channels, ShownBand
from pipeline.config.bands import Rule

LARGEST = torch.finfo(torch.float32).max
"""A bound that bounds nothing. Infinity would be NaN in a moving average of weights."""
NO_CHANGE = 1e-6
"""Of a band's largest value: a smaller range than that is none."""
PHOTOGRAPH = 255
"""The value that is 1 for encoders that were trained on photographs."""


@dataclass(frozen=True)
class BandStatistics:
    """What is known of one band of the training images, without the pixels that lack data.

    percentiles: by percentage, those that some rule needs.
    """

    mean: float
    deviation: float
    lowest: float
    highest: float
    percentiles: dict[float, float]

    @property
    def varies(self) -> bool:
        """False for a constant band, whose deviation is what float32 leaves of none."""
        largest = max(abs(self.lowest), abs(self.highest))
        return self.highest - self.lowest > NO_CHANGE * largest


class BandInput(nn.Module):
    """N x C x H x W, NaN where there is no data -> N x c x H x W of the shown bands, no NaN.

    Values come out such that the encoder's own normalisation, which follows, gives what the rule
    says: zscore has mean 0 and deviation 1 after it. All other rules give 0..1, clipped, as
    photographs have. No-data becomes 0 after it.

    mean, std: of the encoder's normalisation, 1 x c x 1 x 1.
    """

    offset: Tensor
    factor: Tensor
    low: Tensor
    high: Tensor
    empty: Tensor
    chosen: Tensor
    _mean: Tensor
    _std: Tensor

    def __init__(self, channels: Channels, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        assert channels.shown is not None
        self._shown, self._scale = channels.shown, channels.scale
        groups = channels.total // channels.image
        numbers = [band.number + channels.image * g for g in range(groups) for band in self._shown]
        count = len(numbers)
        self.register_buffer("chosen", torch.tensor(numbers), persistent=False)
        self.register_buffer("_mean", mean[:, :count].clone(), persistent=False)
        self.register_buffer("_std", std[:, :count].clone(), persistent=False)
        self.register_buffer("empty", mean[:, :count].clone(), persistent=False)
        for name in ("offset", "factor", "low", "high"):
            self.register_buffer(name, torch.zeros(1, count, 1, 1))
        unknown = BandStatistics(0, 1, 0, 1, {})
        self.measured([unknown] * channels.image)

    def measured(self, statistics: Sequence[BandStatistics]) -> None:
        """Normalise by the statistics of all bands of an image, in its order."""
        groups = len(self.chosen) // len(self._shown)
        for place, band in enumerate([*self._shown] * groups):
            low, high = _ends(band, statistics[band.number])
            clipped = band.rule.name != "zscore"
            mean, std = float(self._mean[0, place]), float(self._std[0, place])
            # x comes divided by the scale: (x - low) / (high - low)
            span = max(high - low, torch.finfo(torch.float32).tiny ** 0.5) / self._scale
            stretched = 1.0 if clipped else std
            moved = 0.0 if clipped else mean
            self.factor[0, place] = stretched / span
            self.offset[0, place] = low / self._scale - moved * span / stretched
            self.low[0, place] = 0.0 if clipped else -LARGEST
            self.high[0, place] = 1.0 if clipped else LARGEST

    def forward(self, images: Tensor) -> Tensor:
        values = (images.index_select(1, self.chosen) - self.offset) * self.factor
        return torch.where(values.isnan(), self.empty, values.clamp(self.low, self.high))


def _ends(band: ShownBand, known: BandStatistics) -> tuple[float, float]:
    """The values of a band that become 0 and 1 (zscore: the mean, and one deviation above it)."""
    rule: Rule = band.rule
    match rule.name:
        case "zscore":
            return known.mean, known.mean + (known.deviation if known.varies else 1.0)
        case "minmax":
            return known.lowest, _above(known.lowest, known.highest)
        case "percentile":
            low, high = (known.percentiles.get(each, each / 100) for each in rule.numbers)
            return low, _above(low, high)
        case "range":
            return rule.numbers[0], rule.numbers[1]
        case "window":
            centre, width = rule.numbers
            return centre - width / 2, centre + width / 2
        case "encoder":
            return 0.0, float(PHOTOGRAPH)


def _above(low: float, high: float) -> float:
    """`high`, or one more than `low` where a band is constant."""
    return high if high - low > NO_CHANGE * max(abs(low), abs(high)) else low + 1
