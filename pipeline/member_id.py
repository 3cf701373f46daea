"""What a member is called: of which model, without which fold, from which seed."""

from __future__ import annotations

import re
from typing import NamedTuple

ALL_IMAGES = -1
"""In the place of a fold's number: the member that is trained on all images (`folds.all`)."""


def fold_name(fold: int) -> str:
    """`fold0`, `fold1`, …, or `all`: the folder of a fold's first member in that of its model."""
    return "all" if fold == ALL_IMAGES else f"fold{fold}"


class MemberId(NamedTuple):
    """One network of a model: which fold it has not seen (or ALL_IMAGES), and which of the model's
    `seeds` it is trained from, counted from 0.
    """

    model: str
    fold: int
    seed: int = 0

    @classmethod
    def named(cls, name: str) -> MemberId:
        """The member that is called so."""
        model, _, folder = name.rpartition("/")
        found = re.fullmatch(r"(?:all|fold(\d+))(?:-seed(\d+))?", folder)
        assert found is not None, name
        return cls(model, ALL_IMAGES if found[1] is None else int(found[1]), int(found[2] or 0))

    @property
    def folder(self) -> str:
        """Its folder in that of its model; the first seed's is as if there were no others."""
        return fold_name(self.fold) + (f"-seed{self.seed}" if self.seed else "")

    @property
    def name(self) -> str:
        """What people read: `unet/fold0`, `unet/fold0-seed1`, `unet/all`."""
        return f"{self.model}/{self.folder}"
