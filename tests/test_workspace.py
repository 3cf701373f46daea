from __future__ import annotations

import pytest

from pipeline.config.experiment import RESERVED
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.workspace import Workspace


def test_no_two_artefacts_share_a_path() -> None:
    workspace = Workspace("x")
    member = workspace.member(MemberId("m", 0))
    paths = [
        workspace.fold_table, workspace.fold_manifest, workspace.index, workspace.index_manifest,
        workspace.alignment, workspace.aligned_references, workspace.blend,
        workspace.blend_manifest, workspace.oof_scores, workspace.scorecard("csv"),
        workspace.scorecard("md"), workspace.report, workspace.report_manifest,
        workspace.finished().experiment, workspace.finished().mean_tables,
        workspace.finished().manifest, workspace.exports,
        workspace.submission("a"), workspace.progress, workspace.locks,
        member.manifest, member.state, member.history, member.weights("ema"),
        member.weights("plain"),
        workspace.maps("m", "oof"), workspace.maps("m", "test"),
    ]  # fmt: skip
    assert len(set(paths)) == len(paths)


def test_no_model_may_take_a_name_in_the_folder_of_a_run() -> None:
    names = Workspace.folders_of_a_run()
    assert {"aligned", "blend", ".progress", "scorecard.csv"} - names == {"scorecard.csv"}
    assert {*names, "ensemble"} == RESERVED


@pytest.mark.parametrize(
    ("member", "name"),
    [
        (MemberId("a", 0), "a/fold0"),
        (MemberId("fold0-seed1", 12, 3), "fold0-seed1/fold12-seed3"),
        (MemberId("all", ALL_IMAGES), "all/all"),
        (MemberId("a", ALL_IMAGES, 19), "a/all-seed19"),
    ],
)
def test_a_member_is_known_by_its_name(member: MemberId, name: str) -> None:
    assert member.name == name and MemberId.named(name) == member
    folder = Workspace("x").member(member).folder
    assert folder == Workspace("x").run / name
    assert folder.name not in {Workspace("x").maps("a", "oof").parent.name}
