"""Downloads and uploads by the genuine client, against a stand-in of Kaggle's API."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, MaskmillError, ResourceError
from pipeline.kaggle import client
from pipeline.reporting import SilentReporter
from pipeline.stages import download, upload
from pipeline.stages.parts.notes import SCORE, read_note
from tests.helpers.competitions import context, said
from tests.helpers.kaggle_api import StandIn, kaggle_api

FILES = {"train/a b.png": b"one", "test/é.png": b"two", "sample_submission.csv": b"id,rle_mask\n"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    pytest.importorskip("kaggle.cli", reason="needs pip install kaggle six", exc_type=ImportError)
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    with kaggle_api(tmp_path) as server:
        for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("KAGGLE_USERNAME", "someone")
        monkeypatch.setenv("KAGGLE_KEY", "secret")
        monkeypatch.setenv("KAGGLE_STAND_IN", server.address)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        monkeypatch.setattr(client, "WAITS_S", (0.0, 0.0))
        monkeypatch.chdir(tmp_path)
        server.data = _zip(FILES)
        yield server


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _download() -> tuple[Path, str]:
    reporter = SilentReporter()
    return download.run("some-contest", None, reporter, "make"), reporter.said[-1]


def test_data_is_fetched_once_and_unpacked_whole(api: StandIn) -> None:
    folder, line = _download()
    assert folder == Path("data/some-contest")
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    assert found == FILES
    assert line.startswith("download: 3 file(s) → data/some-contest in ")
    assert line.endswith("; next: make init DATA=data/some-contest")
    asked = len(api.asked)
    assert "up to date" in _download()[1] and len(api.asked) == asked
    assert [each.name for each in Path("data").iterdir()] == ["some-contest"]


def test_a_damaged_archive_leaves_nothing_and_is_fetched_anew(api: StandIn) -> None:
    api.data = _zip(FILES)[:-30]
    with pytest.raises(ResourceError, match="damaged or was cut"):
        _download()
    assert not Path("data/some-contest").exists()
    api.data = _zip(FILES)
    assert _download()[0].is_dir()


@pytest.mark.parametrize(
    ("code", "says"),
    [(401, "does not know you"), (403, "accept its rules"), (404, "has none of that name")],
)
def test_what_kaggle_refuses_is_said(api: StandIn, code: int, says: str) -> None:
    api.statuses = [code]
    with pytest.raises(ConfigError, match=says):
        _download()
    assert not Path("data/some-contest").exists()


def test_no_credentials(api: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    with pytest.raises(ConfigError, match="kaggle auth login"):
        _download()


def test_too_many_requests_are_tried_again(api: StandIn) -> None:
    api.statuses = [429, 429]
    assert _download()[0].is_dir()
    with pytest.raises(MaskmillError, match="refuses more requests"):
        api.statuses = [429] * 9
        client.call_kaggle("competitions", "submissions", "x", competition="x")


def test_a_submission_is_sent_once_and_its_score_recorded(api: StandIn, tmp_path: Path) -> None:
    stage = context(tmp_path / "data", tmp_path)
    folder = stage.workspace.submissions
    folder.mkdir(parents=True)
    (folder / "3fa91c02.csv").write_text("id,rle_mask\na,1 1\n")
    (folder / "3fa91c02.yaml").write_text("rows: 1\nscore:\n  nested: 0.98765\n")
    upload.run(stage, "some-contest", sleep=lambda _: None)
    assert list(api.sent.values()) == [b"id,rle_mask\na,1 1\n"]
    assert api.submissions[0]["description"] == "3fa91c02 nested 0.98765"
    assert read_note(folder / "3fa91c02.yaml").facts[SCORE] == 0.91234
    upload.run(stage, "some-contest", sleep=lambda _: None)
    assert api.asked.count("CreateSubmission") == 1
    assert "leaderboard: 0.91234" in said(stage)


def test_a_submission_that_kaggle_cannot_score(api: StandIn, tmp_path: Path) -> None:
    stage = context(tmp_path / "data", tmp_path)
    folder = stage.workspace.submissions
    folder.mkdir(parents=True)
    (folder / "ab.csv").touch()
    (folder / "ab.yaml").write_text("rows: 0\n")
    api.submissions = [{"ref": 1, "fileName": "ab.csv", "description": "ab", "status": "ERROR"}]
    with pytest.raises(ResourceError, match="could not score"):
        upload.run(stage, "some-contest", sleep=lambda _: None)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda _: None)
    with pytest.raises(ResourceError, match=r"pip install 'maskmill\[kaggle\]'"):
        client.call_kaggle("competitions", "list", competition="x")
