"""What a model learns beside its masks: the entries of `models.<name>.auxiliary`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from pipeline.config.base import Block
from pipeline.config.patterns import FilePath
from pipeline.config.tables import refuse_twice
from pipeline.suggestions import did_you_mean, shortened

if TYPE_CHECKING:
    from pipeline.config.experiment import Experiment

AuxiliaryWeight = Annotated[float, Field(ge=1e-6, le=1e6)]
MOST_OUTPUTS = 20
MOST_LEVELS = 8


class AuxiliaryOutput(Block):
    """One more output in training, with a loss of its own.

    See [Auxiliary outputs](auxiliary.md) for what each is, and when to use it.
    """

    name: str
    """Name of the output."""
    weight: AuxiliaryWeight = 0.1
    """Factor of its loss in the sum of all."""

    @property
    def label(self) -> str:
        """What history and messages call it."""
        return self.name

    @field_validator("weight", mode="before")
    @classmethod
    def _not_nothing(cls, weight: Any) -> Any:
        if weight == 0 and not isinstance(weight, bool):
            raise ValueError("an output of no weight does nothing; leave it out")
        return weight


class DeepSupervision(AuxiliaryOutput):
    """Masks at coarser levels of the decoder."""

    name: Literal["deep_supervision"]
    levels: int = Field(3, ge=1, le=MOST_LEVELS)
    """Number of levels, the finest first; each counts half of the one before it."""
    weight: AuxiliaryWeight = 0.4
    """Factor of the loss of all levels together."""


class Presence(AuxiliaryOutput):
    """Whether each class is in the crop at all."""

    name: Literal["presence"]


class MapOutput(AuxiliaryOutput):
    """A map that is made from the truth."""

    weight: AuxiliaryWeight = 1
    """Factor of its loss in the sum of all; watershed found objects better with 1 than with 0.1."""


class BoundaryMap(MapOutput):
    """Where objects of each class end."""

    name: Literal["boundary"]
    width: int = Field(2, ge=1, le=50)
    """Pixels on each side of a boundary that belong to it."""


class DistanceMap(MapOutput):
    """How deep in its object a pixel lies."""

    name: Literal["distance"]


class CentreMap(MapOutput):
    """How near to the middle of its object a pixel lies."""

    name: Literal["centre"]
    sigma: float = Field(0.5, ge=0.05, le=10)
    """Standard deviation of the bump, in radii of a disc that is as large as the object."""


class ColumnOutput(AuxiliaryOutput):
    """A column of a table, by image."""

    name: Literal["column"]
    column: str = Field(min_length=1, max_length=200)
    """Name of the column."""
    as_: Literal["regression", "classification"] = Field("regression", alias="as")
    """regression: a number, standardised on the training images; classification: one of the values
    that training images have."""
    csv: FilePath | None = None
    """The table, below `data.root`; null: that of `data.group`."""
    id: str | None = None
    """Column of the ids; null: that of `data.group`, or `id`."""

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        refuse_twice([self.id, self.column])
        return self

    @property
    def label(self) -> str:
        return f"column_{self.column}"


_KINDS = (DeepSupervision, Presence, BoundaryMap, DistanceMap, CentreMap, ColumnOutput)
NAMES = {get_args(kind.model_fields["name"].annotation)[0]: kind for kind in _KINDS}


def _name_of(value: Any) -> Any:
    return value.get("name") if isinstance(value, dict) else getattr(value, "name", None)


def _tag_of(value: Any) -> str:
    """By which pydantic finds the block of an output, and which no key of an output is."""
    return f"<{_name_of(value)}>"


if TYPE_CHECKING:
    AnyAuxiliary = AuxiliaryOutput
else:
    _TAGGED = tuple(Annotated[kind, Tag(f"<{name}>")] for name, kind in NAMES.items())
    AnyAuxiliary = Annotated[
        Union[(*_TAGGED,)],
        Discriminator(_tag_of),
    ]


def _known(outputs: Any) -> Any:
    for each in outputs if isinstance(outputs, list | tuple) else ():
        if isinstance(each, AuxiliaryOutput):
            continue
        name = _name_of(each)
        if name is None:
            raise ValueError(f"{shortened(each)}: must be a mapping such as {{name: centre}}")
        if not isinstance(name, str) or name not in NAMES:
            hint = did_you_mean(str(name)[:80], NAMES)
            raise ValueError(f"there is no output {shortened(name)}{hint}")
    return outputs


def _each_once(outputs: tuple[AuxiliaryOutput, ...]) -> tuple[AuxiliaryOutput, ...]:
    counts = Counter(each.label for each in outputs)
    if twice := [label for label, count in counts.items() if count > 1]:
        raise ValueError(f"{twice[0]} stands twice; give it a larger weight instead")
    return outputs


Auxiliaries = Annotated[
    tuple[AnyAuxiliary, ...],
    Field(max_length=MOST_OUTPUTS),
    BeforeValidator(_known),
    AfterValidator(_each_once),
]
"""Of a model: what it learns beside its masks."""


def map_outputs(outputs: Sequence[AuxiliaryOutput]) -> list[MapOutput]:
    """Those whose target is a map that is made from the truth."""
    return [each for each in outputs if isinstance(each, MapOutput)]


def column_outputs(outputs: Sequence[AuxiliaryOutput]) -> list[ColumnOutput]:
    return [each for each in outputs if isinstance(each, ColumnOutput)]


def auxiliary_problems(experiment: Experiment) -> Iterator[str]:
    """What does not fit between auxiliary outputs and the rest of the experiment."""
    yield from _use_problems(experiment)
    has_table = not isinstance(experiment.data.group, str | None)
    for name, model in experiment.models.items():
        for number, output in enumerate(model.auxiliary):
            place = f"models.{name}.auxiliary[{number}]"
            if not isinstance(output, ColumnOutput):
                continue
            if output.csv is None and not has_table:
                yield (
                    f"{place}.csv: data.group names no table that could have the column "
                    f"{output.column!r}; give csv, the file below data.root"
                )
            for key in [key for key, part in model.train.parts() if part.augment.mixes]:
                yield (
                    f"{place}: a column is about a whole image, and {key}.augment mixes several "
                    "(mixup, cutmix, copy_paste or mosaic); leave one of the two out"
                )


def _use_problems(experiment: Experiment) -> Iterator[str]:
    used = experiment.ensemble.used_outputs
    if used and experiment.ensemble.mean == "rank":
        yield (
            f"ensemble.postprocess: by: {used[0]} needs numbers and not ranks; set another "
            "ensemble.mean"
        )
    for name, model in experiment.models.items():
        for label in used:
            if label not in {output.label for output in model.auxiliary}:
                yield (
                    f"models.{name}.auxiliary: ensemble.postprocess has a step by {label}, and the "
                    f"model has none; add {{name: {label}}}"
                )
