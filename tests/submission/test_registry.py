"""A new format of submissions is a file and a line; the one of before is the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from pipeline.config import DataConfig, SubmissionConfig
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.recipe import Recipe
from pipeline.errors import ConfigError
from pipeline.manifests import fingerprint
from pipeline.reporting import Advance
from pipeline.submission import registry
from pipeline.submission.format import SubmittedDecisions, Written
from pipeline.submission.rows import Row
from tests.helpers.data_folders import experiment


@dataclass(frozen=True)
class Areas:
    """A made-up format: how many pixels of an image are inside."""

    rows: Sequence[Row]

    @classmethod
    def suffix(cls, settings: SubmissionConfig) -> str:
        return ".txt"

    @classmethod
    def plan(cls, settings: SubmissionConfig, data: DataConfig, ids: Sequence[str]) -> Self:
        return cls([Row(each, each, 0) for each in ids])

    def write(self, path: Path, decisions: SubmittedDecisions, advance: Advance) -> Written:
        for row in self.rows:
            area = decisions.recipe.decide(decisions.read(row.id)).sum()
            with path.open("a") as stream:
                stream.write(f"{row.key} {area} of {decisions.size_of(row.id)}\n")
            advance(1)
        return Written(len(self.rows), {})


def decisions() -> SubmittedDecisions:
    """Of an image `b`, inside from its fourth column on."""
    likely = np.zeros((1, 6, 8), np.uint8)
    likely[..., 3:] = 255
    recipe = Recipe({"m": 1.0}, (0.5,), multiclass=False, mean=ARITHMETIC)
    return SubmittedDecisions(recipe, lambda _: [likely], lambda _: (6, 8))


def wanted(root: Path, name: str):
    return experiment(root).model_copy(update={"submission": SubmissionConfig(format=name)})


def test_a_new_format_is_asked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.FORMATS, "areas", Areas)
    planned = registry.plan_submission(wanted(tmp_path, "areas"), ["b"])
    assert registry.submission_suffix(wanted(tmp_path, "areas")) == ".txt"
    assert planned.write(tmp_path / "s.txt", decisions(), lambda _: None).rows == 1
    assert (tmp_path / "s.txt").read_text() == "b 30 of (6, 8)\n"


def test_run_lengths_are_the_default(tmp_path: Path) -> None:
    planned = registry.plan_submission(experiment(tmp_path), ["b"])
    written = planned.write(tmp_path / "s.csv", decisions(), lambda _: None)
    assert written.rows == 1 and not written.uniform
    assert (tmp_path / "s.csv").read_text() == "id,rle_mask\nb,19 30\n"
    assert fingerprint(SubmissionConfig(format="rle")) == fingerprint(SubmissionConfig())


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown submission format 'rel'; .* rle"):
        registry.plan_submission(wanted(tmp_path, "rel"), ["b"])
