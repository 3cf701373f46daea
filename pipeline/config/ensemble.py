"""The `ensemble` block."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.config.base import Block, check_names
from pipeline.config.choices import Mean
from pipeline.config.limits import Probability, Weight


class EnsembleConfig(Block):
    """How members become one decision."""

    mean: Mean = "arithmetic"
    """Mean over models: of probabilities, of their logarithms, of their logits, or of their
    ranks."""
    weights: Literal["search", "nested", "equal"] | dict[str, Weight] = "search"
    """search: chosen on out-of-fold maps; nested: equal ones, searched ones, three points between
    the two and the best model alone compete by nested score, and the first of them within one
    standard error of the best wins; equal: all the same; or `{model: weight}`."""
    threshold: Literal["search"] | Probability | tuple[Probability, ...] = "search"
    """search: chosen on out-of-fold maps; or one value, or a list with one for each class."""
    postprocess: tuple[str | dict[str, Any], ...] = Field((), max_length=20)
    """Steps to try, in this order: names, or `{name: minimum_area, values: [0.001, 0.01]}`. A step
    is kept only if the nested score gains. `by` has a step look at an
    [auxiliary output](auxiliary.md#in-post-processing) of the models: `{name: gate, by: presence}`,
    `{name: watershed, by: centre}`. `guided_filter`, `dense_crf`, `grabcut` and `graph_cut` look at
    the image and have [settings](stages.md#ensemble): `{name: dense_crf, colour: [5, 13]}`."""
    accumulate: bool = False
    """true: sum the test maps straight into one store instead of keeping a store a model, see
    [Storage](storage.md#many-models-little-disk)."""

    @property
    def used_outputs(self) -> tuple[str, ...]:
        """The auxiliary outputs that steps look at, in the order of their planes in maps."""
        named = (each.get("by") for each in self.postprocess if isinstance(each, dict))
        return tuple(dict.fromkeys(str(each) for each in named if each is not None))

    @field_validator("postprocess")
    @classmethod
    def _known_steps(
        cls, steps: tuple[str | dict[str, Any], ...], info: ValidationInfo
    ) -> tuple[str | dict[str, Any], ...]:
        check_names("step", steps, info)
        return steps
