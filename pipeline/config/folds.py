"""The `folds` block: how training images are split."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.base import Block


class FoldsConfig(Block):
    """How training images are split."""

    count: int = Field(5, ge=2, le=100)
    """Number of folds."""
    stratify: Literal["coverage", "none"] = "coverage"
    """coverage: every fold gets the same mix of small and large masks; none: groups are dealt out
    at random."""
    seed: int = Field(2017, ge=0, lt=2**32)
    """Seed of the split."""
    use: tuple[Annotated[int, Field(ge=0, lt=100)], ...] | None = Field(None, max_length=100)
    """The folds to train and score; null: all of them."""
    all: bool = False
    """true: train one more member a model, on all images and as long as the folds' members, which
    predicts test images alone, see [Training](training.md#a-member-of-all-images)."""

    @model_validator(mode="after")
    def _uses_existing_folds(self) -> Self:
        strange = sorted(set(self.use or ()) - set(range(self.count)))
        if self.use == () or strange:
            raise ValueError(f"use: {list(self.use or ())}: folds are 0 to {self.count - 1}")
        return self
