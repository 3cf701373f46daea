"""What is proposed for folders in the layouts that competitions have."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load_experiment
from pipeline.known_names import name_checks
from pipeline.proposal.proposal import propose
from pipeline.proposal.write_yaml import as_yaml
from pipeline.reporting import SilentReporter
from pipeline.stages import check
from pipeline.stages.context import StageContext
from pipeline.workspace import Workspace
from tests.helpers.competition_layouts import LAYOUTS
from tests.helpers.demo_folders import digests


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_found_and_passes_the_check(name: str, tmp_path: Path) -> None:
    draw, data, submission = LAYOUTS[name]
    root = tmp_path / "data"
    draw(root)
    before = digests(root)
    proposal = propose(root)
    raw = proposal.raw
    assert {key: raw["data"].get(key) for key in data} == data
    assert {key: raw["submission"].get(key) for key in submission} == submission
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(proposal, "mine", "make check"))
    experiment = load_experiment(path, checks=name_checks())
    reporter = SilentReporter()
    survey = check.run(
        StageContext(experiment, Workspace("mine", tmp_path), reporter, asked="check", jobs=1)
    )
    assert len(survey.of("train")) > 2
    assert digests(root) == before
