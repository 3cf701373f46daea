"""A note beside a submission is written anew when damaged, and keeps what a person has added."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from pipeline.errors import ArtefactError
from pipeline.stages import leaderboard, scorecard, submit
from pipeline.stages.context import StageContext
from pipeline.stages.parts.notes import as_score, note_of, read_note
from tests.helpers.competitions import ONE_MODEL, context, draw_discs, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8)
    submit.run(context(root, workspace, **ONE_MODEL))
    return root, workspace


@pytest.fixture
def stage(copied: tuple[Path, Path]) -> StageContext:
    return context(*copied, asked="submit", **ONE_MODEL)


def again(stage: StageContext) -> StageContext:
    return StageContext(
        stage.experiment, stage.workspace, type(stage.reporter)(), asked="submit", jobs=1
    )


def note(stage: StageContext) -> Path:
    (path,) = stage.workspace.submissions.glob("*.yaml")
    return path


DAMAGE = {
    "nothing": "",
    "a conflict": "<<<<<<< HEAD\nleaderboard: 0.5\n",
    "cut": "fingerprint: abc\nweights: {a: ",
    "a list": "- a\n",
    "a number": "12\n",
    "binary": "\0\ufffd\x01",
    "deep": "[" * 1100,
    "keys missing": "leaderboard: 0.5\n",
    "other types": "checksum: [1]\nrows: many\nleaderboard: 0.5\n",
    "a key twice": "leaderboard: null\nleaderboard: 0.5\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_note_is_written_anew(damage: str, stage: StageContext) -> None:
    path, whole = note(stage), note(stage).read_bytes()
    sent = path.with_suffix(".csv").read_bytes()
    path.write_text(DAMAGE[damage])
    scores = {"leaderboard": 0.5} if "0.5" in DAMAGE[damage] else {}
    assert leaderboard.recorded(path.with_suffix(".csv"), lambda _: None) == scores.get(
        "leaderboard"
    )
    submit.run(stage)
    assert yaml.safe_load(path.read_text()) == {**yaml.safe_load(whole), **scores}
    assert path.with_suffix(".csv").read_bytes() == sent
    following = again(stage)
    submit.run(following)
    assert "up to date" in said(following)


@pytest.mark.parametrize("key", ["rows", "checksum", "weights", "score", "fingerprint"])
def test_a_key_that_was_changed_or_removed_comes_back(key: str, stage: StageContext) -> None:
    path = note(stage)
    facts = yaml.safe_load(path.read_text())
    for other in ({**facts, key: None}, {each: facts[each] for each in facts if each != key}):
        path.write_text(yaml.safe_dump(other))
        submit.run(again(stage))
        assert yaml.safe_load(path.read_text()) == facts


def test_what_a_person_added_survives(stage: StageContext) -> None:
    path, sent = note(stage), note(stage).with_suffix(".csv")
    mine = "# sent by Ana\nleaderboard: 0.9961  # private 0.9950\ncomment: 'best so far: #1'\n"
    mine += "  # of two\nsent: 2026-11-28\n"
    text = path.read_text().replace("leaderboard: null\n", "") + mine
    path.write_text(text)
    added = {**yaml.safe_load(text)}
    submit.run(stage)
    assert path.read_text() == text, "a note that says all it must is left alone"
    sent.unlink()
    submit.run(again(stage))
    leaderboard.run(again(stage), "0.5")
    assert yaml.safe_load(path.read_text()) == {**added, "leaderboard": 0.5}
    for comment in ("# sent by Ana\n", "# private 0.9950\n", "# of two\n"):
        assert path.read_text().count(comment) == 1


@pytest.mark.parametrize(
    ("written", "score"),
    [("0.9961", 0.9961), ("1", 1.0), ("'0.5'", 0.5), ("9e-1", 0.9), ("null", None), ("-3", -3.0)],
)
def test_a_score_by_hand_is_read(written: str, score: float | None, stage: StageContext) -> None:
    path, warned = note(stage), []
    path.write_text(path.read_text().replace("leaderboard: null", f"leaderboard: {written}"))
    assert leaderboard.recorded(note_of(path), warned.append) == score
    assert not warned


@pytest.mark.parametrize("written", ["abc", "true", ".nan", "1e+999", "[1]", "0,9961"])
def test_a_score_that_is_none_is_told(written: str, stage: StageContext) -> None:
    path, told = note(stage), []
    path.write_text(path.read_text().replace("leaderboard: null", f"leaderboard: {written}"))
    assert leaderboard.recorded(path, told.append) is None
    assert str(path) in told[0] and "is not a number" in told[0]


def test_the_scorecard_goes_on_without_a_score_that_is_none(stage: StageContext) -> None:
    path = note(stage)
    path.write_text(path.read_text().replace("leaderboard: null", "leaderboard: abc"))
    scorecard.run(stage)
    assert any("so the scorecard ignores it" in text for text in stage.reporter.warned)  # type: ignore[attr-defined]
    leaderboard.run(stage, "0.75")
    assert leaderboard.recorded(path, lambda _: None) == 0.75


def test_the_newest_submission_is_the_one_that_was_written_last(stage: StageContext) -> None:
    new = note(stage)
    for label, age in (("older", 100), ("notes_only", -100)):
        new.with_name(f"{label}.yaml").write_text("rows: 1\n")
        os.utime(new.with_name(f"{label}.yaml"), (new.stat().st_mtime - age,) * 2)
    csv = new.with_name("older.csv")
    csv.write_text("id,rle\n")
    os.utime(csv, (new.stat().st_mtime - 100,) * 2)
    leaderboard.run(stage, "0.25", "older.csv")
    leaderboard.run(stage, "0.5")
    scores = {
        path.stem: read_note(path).facts.get("leaderboard") for path in new.parent.glob("*.yaml")
    }
    assert scores == {"older": 0.25, "notes_only": None, new.stem: 0.5}
    with pytest.raises(ArtefactError, match=r"LABEL='oldr': .*did you mean older\?"):
        leaderboard.run(stage, "0.5", "oldr")
    new.write_text("")
    with pytest.raises(ArtefactError, match="it is empty; make submit rewrites it"):
        leaderboard.run(stage, "0.5", new.stem)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "", "0,9", "1_0", True, None, [1], "٠"])
def test_what_is_no_number_is_no_score(value: object) -> None:
    assert as_score(value) is None


@pytest.mark.parametrize("pack", ["folder", "tar"])
def test_a_submission_of_files_is_as_whole_as_its_note_says(
    pack: str, copied: tuple[Path, Path]
) -> None:
    """Written once, and again where one of its files was changed, added or lost."""
    blocks = {**ONE_MODEL, "submission": {"format": "masks", "pack": pack}}
    stage = context(*copied, asked="submit", **blocks)
    path = submit.run(stage)
    label = path.name.removesuffix(".tar")
    assert "4 mask(s) of 4 image(s)" in said(stage) and note_of(path).name == f"{label}.yaml"
    files = sorted(path.iterdir()) if pack == "folder" else [path]
    sent = {each: each.read_bytes() for each in files}
    fresh = again(stage)
    assert submit.run(fresh) == path and "up to date" in said(fresh)
    leaderboard.run(fresh, "0.75", label)
    for change in (
        lambda: files[-1].write_bytes(b"other"),
        lambda: files[0].unlink(),
        lambda: (path / "more.png").write_bytes(b"") if pack == "folder" else path.unlink(),
    ):
        change()
        assert submit.run(again(stage)) == path
        assert {each: each.read_bytes() for each in files} == sent
        assert pack == "tar" or sorted(path.iterdir()) == files
    assert read_note(note_of(path)).facts["leaderboard"] == 0.75
    assert leaderboard.recorded(path, print) == 0.75
    newest = read_note(note_of(path)).facts
    assert (newest["rows"], len(newest["checksum"])) == (4, 64)
