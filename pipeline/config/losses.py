"""The terms of `train.loss`: weights and parameters of losses, with their ranges.

A loss without parameters needs nothing here. One with parameters has a block, which is named in
`PARAMETRISED`; what it computes is a file in `pipeline.models.losses`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipeline.config.base import Block
from pipeline.config.limits import Weight

LossWeight = Annotated[float, Field(ge=1e-6, le=1e6)]
Exponent = Annotated[float, Field(ge=0, le=10)]
_Several = Field(min_length=1, max_length=256)
ClassWeights = Annotated[tuple[Weight, ...], _Several] | Annotated[dict[str, Weight], _Several]


class LossTerm(Block):
    """One term of the loss: its name and its weight, and the parameters of that loss.

    See [Losses](losses.md) for what each loss is, and when to use it.
    """

    name: str
    """Name of the loss."""
    weight: LossWeight = 1.0
    """Factor of this term in the sum of all."""

    @field_validator("weight", mode="before")
    @classmethod
    def _not_nothing(cls, weight: Any) -> Any:
        if weight == 0 and not isinstance(weight, bool):
            raise ValueError("a loss of no weight does nothing; leave it out")
        return weight


class RegionTerm(LossTerm):
    """A term of sums over pixels."""

    batch: bool = True
    """true: sums over the whole batch; false: the loss of each image by itself, averaged."""


class WeightedTerm(LossTerm):
    """A term that is a mean over pixels, in which classes may count differently."""

    class_weights: ClassWeights | None = None
    """Weight of each class: a list in the order of `data.classes`, or `{class: weight}`, where a
    class that is left out has 1. The mean is divided by the sum of the weights."""

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        weights = self.class_weights
        if isinstance(weights, tuple) and sum(weights) < 1e-6:
            raise ValueError("class_weights sum to zero")
        return self


class PixelTerm(WeightedTerm):
    """A cross-entropy."""

    smoothing: float = Field(0, ge=0, lt=1)
    """Label smoothing: the truth is drawn towards the same probability for all classes by this
    share."""
    topk: float = Field(1, ge=1e-4, le=1)
    """Share of the pixels that count, those with the largest loss in the batch; 1: all."""


class Bce(PixelTerm):
    """Binary cross-entropy."""

    name: Literal["bce"]
    pos_weight: float = Field(1, ge=1e-6, le=1e6)
    """Factor of the pixels inside of a class, against those outside."""


class Ce(PixelTerm):
    """Cross-entropy of exclusive classes; needs `data.multiclass`."""

    name: Literal["ce"]


class Focal(WeightedTerm):
    """Focal loss."""

    name: Literal["focal"]
    gamma: Exponent = 2
    """Exponent of the error, by which pixels that are right already count less."""
    alpha: float | None = Field(None, ge=0, le=1)
    """Weight of the pixels inside of a class; 1 − alpha is that of those outside. null: both the
    same. Not with `data.multiclass`, for which there is `class_weights`."""


class Dice(RegionTerm):
    """Soft Dice."""

    name: Literal["dice"]
    squared: bool = False
    """Squares in the denominator, as in V-Net."""


class Jaccard(RegionTerm):
    """Soft intersection over union."""

    name: Literal["jaccard"]


class Tversky(RegionTerm):
    """Soft Tversky index."""

    name: Literal["tversky"]
    alpha: float = Field(0.3, ge=0, le=1)
    """Weight of false positives."""
    beta: float = Field(0.7, ge=0, le=1)
    """Weight of false negatives; alpha = beta = 0.5 is Dice, both 1 is IoU."""

    @model_validator(mode="after")
    def _sees_errors(self) -> Self:
        if self.alpha + self.beta < 1e-6:
            raise ValueError("alpha and beta are both 0, so that no error costs anything")
        return self


class FocalTversky(Tversky):
    """Focal Tversky loss."""

    name: Literal["focal_tversky"]  # type: ignore[assignment]
    gamma: float = Field(4 / 3, ge=0.1, le=10)
    """The Tversky loss of a class is raised to the power 1 / gamma."""


class Lovasz(RegionTerm):
    """Lovász hinge, and Lovász softmax with `data.multiclass`."""

    name: Literal["lovasz"]


class Mcc(RegionTerm):
    """Matthews correlation coefficient."""

    name: Literal["mcc"]


class BoundaryDou(RegionTerm):
    """Boundary difference over union."""

    name: Literal["boundary_dou"]


class Hausdorff(LossTerm):
    """Hausdorff distance by distance transforms."""

    name: Literal["hausdorff"]
    alpha: float = Field(2, ge=0.1, le=4)
    """Exponent of the distances."""
    one_sided: bool = False
    """Distances to the true boundary only, not to the predicted one too, which is transformed on
    the CPU in each step."""


class ClDice(RegionTerm):
    """Soft centreline Dice."""

    name: Literal["cldice"]
    iterations: int = Field(3, ge=1, le=100)
    """Erosions that make a skeleton: the largest radius in pixels that a structure has."""


class SkeletonRecall(RegionTerm):
    """Skeleton recall."""

    name: Literal["skeleton_recall"]
    tube: int = Field(2, ge=0, le=50)
    """Pixels by which the true skeleton is widened on each side."""


class Affinity(LossTerm):
    """Affinity fields."""

    name: Literal["affinity"]
    size: Literal[3, 5, 7] = 3
    """Side of the neighbourhood: the eight neighbours are 1, 2 or 3 pixels away."""
    margin: float = Field(3, ge=0.01, le=10)
    """Divergence at which neighbours across a boundary are far enough apart."""


PARAMETRISED: tuple[type[LossTerm], ...] = (
    Bce,
    Ce,
    Focal,
    Dice,
    Jaccard,
    Tversky,
    FocalTversky,
    Lovasz,
    Mcc,
    BoundaryDou,
    Hausdorff,
    ClDice,
    SkeletonRecall,
    Affinity,
)
"""The blocks of losses that have parameters."""

_TAGS = {get_args(kind.model_fields["name"].annotation)[0]: kind for kind in PARAMETRISED}
_OTHER = "other"


def _tag(value: Any) -> str:
    """The name by which pydantic finds the block of a term."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in _TAGS else _OTHER


if TYPE_CHECKING:
    AnyTerm = LossTerm
else:
    _TAGGED = tuple(Annotated[kind, Tag(tag)] for tag, kind in _TAGS.items())
    AnyTerm = Annotated[
        Union[(Annotated[LossTerm, Tag(_OTHER)], *_TAGGED)],
        Discriminator(_tag),
    ]
