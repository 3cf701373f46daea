"""The interface of submission formats: what the competition asks for, and how to write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.config.choices import RleOrder
from pipeline.data.rle import Runs
from pipeline.ensemble.recipe import BlendInput, Recipe
from pipeline.reporting import Advance
from pipeline.size import Size
from pipeline.submission.rows import Row


@dataclass(frozen=True)
class SubmittedDecisions:
    """The decisions to submit: each test image's maps, the recipe that decides, and its size."""

    recipe: Recipe
    read: Callable[[str], BlendInput]
    size_of: Callable[[str], Size]
    """Of the image itself."""
    picture: Callable[[str], NDArray[np.uint8]] | None = None
    """The image as people see it, for steps that look at it."""

    def runs(self, id: str, order: RleOrder) -> list[Runs] | None:
        """The decision as runs, a class each; None when steps need the mask."""
        return None if self.recipe.steps else self.recipe.runs(self.read(id), order)

    def decide(self, id: str) -> NDArray[np.bool_]:
        """The decision CHW of one image, after post-processing."""
        picture = None if self.picture is None else partial(self.picture, id)
        return self.recipe.decide(self.read(id), picture)

    def probabilities(self, id: str) -> NDArray[np.float32]:
        """Blended probabilities CHW 0..1 of one image, before post-processing."""
        return self.recipe.blend(self.read(id))


@dataclass(frozen=True)
class Written:
    """Facts about a finished submission."""

    rows: int
    uniform: Mapping[int, str]
    """Classes, by position, that are "empty" or "everywhere" on every test image."""


class SubmissionFormat(Protocol):
    """A submission before it is written."""

    @property
    def rows(self) -> Sequence[Row]:
        """The requested images, in order."""
        ...

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        """Write the file (or folder) whole and checked, or not at all; `advance` by image.

        DataError when it would not be decoded to the same masks.
        """
        ...

    def read(
        self, path: Path, size_of: Callable[[str], Size]
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """The id and the masks CHW of each image, as the file says them; all objects of a class
        are one mask. size_of: H, W of an image. DataError where it says none.
        """
        ...


class SubmissionKind(Protocol):
    """A format, which plans the submissions of experiments."""

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        """The ending of what is written, such as `.csv`; "" for a folder."""
        ...

    @classmethod
    def plan(
        cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]
    ) -> SubmissionFormat:
        """Read the requirements. ids: the test images.

        DataError when the sample file, below `data.root`, does not ask for the test images.
        """
        ...
