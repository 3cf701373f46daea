"""What a batch should be, and what losses derive from it once a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from pipeline.models.losses.distances import distances_to_other_side, signed_distances
from pipeline.models.losses.sides import HALF, Sides
from pipeline.models.losses.skeletons import skeleton


@dataclass(frozen=True)
class Truth:
    """The true planes of a batch.

    planes: float N×C×H×W of 0..1; valid: float 0/1, N×1×H×W, 0 where a pixel is void; multiclass:
    the classes exclude each other (softmax), or not (sigmoid).
    """

    planes: Tensor
    valid: Tensor
    multiclass: bool

    @cached_property
    def counted(self) -> Tensor:
        """The planes, 0 where a pixel is void."""
        return self.planes * self.valid

    @cached_property
    def inside(self) -> Tensor:
        """Float 0/1, N×C×H×W: the valid pixels inside of each class."""
        return (self.counted >= HALF).float()

    @cached_property
    def _sides(self) -> Sides:
        return Sides.of(self.planes, self.valid)

    @cached_property
    def signed_distances(self) -> Tensor:
        """Float N×C×H×W, pixels: see `distances.signed_distances`."""
        return self._sides.mapped(signed_distances)

    @cached_property
    def distances(self) -> Tensor:
        """Float N×C×H×W, pixels: see `distances.distances_to_other_side`."""
        return self._sides.mapped(distances_to_other_side)

    @cached_property
    def skeletons(self) -> Tensor:
        """Float 0/1, N×C×H×W: the lines in the middle of each class."""
        return self._sides.mapped(lambda inside, _: skeleton(inside))

    def predicted_distances(self, probabilities: Tensor) -> Tensor:
        """As `distances`, of the prediction."""
        return Sides.of(probabilities.detach(), self.valid).mapped(distances_to_other_side)
