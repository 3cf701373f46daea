"""Whatever happens to a file of a finished run: the next make ends with the same bytes, or with
one clear error after which the make that follows does.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MaskmillError
from pipeline.stages import scorecard, verify
from tests.helpers.competitions import ONE_MODEL, context, draw_discs
from tests.helpers.fuzz_rounds import Record, seeds_for_minutes, summarise

ACCUMULATED = {**ONE_MODEL, "ensemble": {"threshold": 0.5, "accumulate": True}}
Finished = tuple[Path, Path, dict[str, Any]]
STRANGE: list[Any] = [None, True, -1, 0, 2**63, 1e400, "", "x", "\x00", [], {}, [1], {"a": 1}]


def _finish(root: Path, workspace: Path, blocks: dict[str, Any]) -> None:
    scorecard.run(context(root, workspace, **blocks))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(ONE_MODEL, id="maps"),
        pytest.param(ACCUMULATED, id="sums", marks=pytest.mark.slow),
    ],
)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=6, test=4)
    _finish(root, workspace, request.param)
    return root, workspace, request.param


def _artefacts(workspace: Path) -> list[Path]:
    """Every file but locks, and the fold table, which a user may edit."""
    files = sorted(path for path in workspace.rglob("*") if path.is_file())
    return [
        path
        for path in files
        if path.suffix != ".lock"
        and path.name not in (".lock", ".writers", ".creating", "discs.csv")
    ]


def _what_counts(workspace: Path) -> dict[str, bytes]:
    """Maps, sums, weights, tables and submissions: what must not differ in silence."""
    kinds = ("maps.npy", "members.npy", "records.npy", "oof_scores.csv", "index.csv")
    return {
        path.relative_to(workspace).as_posix(): path.read_bytes()
        for path in _artefacts(workspace)
        if path.name in kinds
        or path.suffix == ".safetensors"
        or (path.suffix == ".csv" and "submissions" in path.parts)
    }


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes()) or bytearray(1)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size + 1))


def _garbage(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(chance.randrange(400)))


def _remove(path: Path, chance: random.Random) -> None:
    path.unlink()


def _folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _another(path: Path, chance: random.Random) -> None:
    """The content of another artefact, whole in itself: of another fold, part or stage."""
    root = next(each for each in path.parents if (each / "folds").is_dir())
    others = [each for each in _artefacts(root) if each.suffix == path.suffix and each != path]
    if others:
        shutil.copyfile(chance.choice(others), path)


def _mutate(path: Path, chance: random.Random) -> None:
    """A key removed, a value of another type, or another kind of document."""
    with suppress(ValueError):
        content = json.loads(path.read_text())
        kind = chance.randrange(3)
        if kind == 0 or not isinstance(content, dict) or not content:
            content = chance.choice(STRANGE)
        elif kind == 1:
            del content[chance.choice(sorted(content))]
        else:
            content[chance.choice(sorted(content))] = chance.choice(STRANGE)
        path.write_text(json.dumps(content))
        return
    path.write_text("[" * 50_000)


DAMAGES: list[Callable[[Path, random.Random], None]] = [
    _flip,
    _flip,
    _cut,
    _garbage,
    _remove,
    _folder,
    _mutate,
    _another,
]


def _with_verify(root: Path, workspace: Path, blocks: dict[str, Any]) -> None:
    with suppress(MaskmillError):
        verify.run(context(root, workspace, **blocks))
    _finish(root, workspace, blocks)


def _outcome(root: Path, workspace: Path, blocks: dict[str, Any], path: Path) -> str:
    """How many makes it takes; a damage of bytes that no make reads is found by `verify`."""
    for makes in range(1, 4):
        try:
            _finish(root, workspace, blocks)
        except MaskmillError as error:
            assert "Traceback" not in str(error) and len(str(error)) < 1000
            if path.is_dir():
                assert str(path) in str(error), "what only a person may remove is named"
                path.rmdir()
            continue
        return f"{makes} make(s)"
    raise AssertionError("no way out")


def _damage_one(finished: Finished, folder: Path, seed: int) -> tuple[str, str]:
    root, workspace, blocks = finished
    chance = random.Random(seed)
    copy = folder / str(seed)
    shutil.copytree(workspace, copy)
    path = chance.choice(_artefacts(copy))
    damage = chance.choice(DAMAGES)
    damage(path, chance)
    what = f"seed {seed}: {damage.__name__} {path.relative_to(copy)}"
    try:
        outcome = _outcome(root, copy, blocks, path)
        if _what_counts(copy) != _what_counts(workspace):
            _with_verify(root, copy, blocks)
            _outcome(root, copy, blocks, path)
            outcome = "verify"
        ours, theirs = _what_counts(copy), _what_counts(workspace)
        differing = [name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)]
        assert not differing, f"other bytes in silence: {differing}"
    except Exception as error:
        raise AssertionError(what) from error
    shutil.rmtree(copy)
    return damage.__name__, outcome


def _fuzz(finished: Finished, folder: Path, seeds: Iterable[int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in seeds:
        counts[" → ".join(_damage_one(finished, folder, seed))] += 1
    return counts


def test_a_damaged_artefact_is_made_again_or_named(finished: Finished, tmp_path: Path) -> None:
    """The same seeds on every machine: by time, only a fast one would come to those that fail."""
    assert _fuzz(finished, tmp_path, range(4))


@pytest.mark.slow
def test_many_damaged_artefacts(
    finished: Finished, tmp_path: Path, record_property: Record
) -> None:
    summarise(record_property, "artefacts", _fuzz(finished, tmp_path, seeds_for_minutes()))
