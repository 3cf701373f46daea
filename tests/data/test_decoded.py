"""Decoded samples on the disk: what is read is what was decoded, or it is decoded again."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import disk_space
from pipeline.atomic_files import file_checksum
from pipeline.config import InputConfig
from pipeline.data import decoded as decoded_room
from pipeline.data.catalog import Sample, list_samples
from pipeline.data.decoded import (
    DAMAGED,
    UNWRITTEN,
    Decoded,
    DiskCache,
    damaged,
    decode,
    sweep_decoded,
    unwritten,
)
from pipeline.data.samples import SampleReader
from pipeline.errors import ResourceError
from pipeline.stages import infer, train
from pipeline.stages.context import StageContext
from pipeline.stages.parts import decoded_samples, trial_networks
from pipeline.training import dataset, held_out
from tests.helpers.competitions import ONE_MODEL, TINY, context, draw_discs, experiment

SHOWN = InputConfig()


def _reader(folder: Path, **data: Any) -> SampleReader:
    return SampleReader(experiment(folder, data=data).data)


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    draw_discs(tmp_path / "my data", size=(45, 61), count=4)
    return list_samples(_reader(tmp_path / "my data").data).train


@pytest.fixture
def cache(tmp_path: Path, samples: tuple[Sample, ...]) -> DiskCache:
    cache = DiskCache(tmp_path / "decoded", _reader(tmp_path / "my data"), SHOWN)
    for sample in samples:
        cache.put(sample, decode(sample, cache.reader, SHOWN))
    return cache


def _again(cache: DiskCache) -> DiskCache:
    """As another process has it."""
    return DiskCache(cache.folder, cache.reader, cache.shown)


def _assert_same(one: Decoded | None, other: Decoded) -> None:
    assert one is not None
    for mine, theirs in zip(one, other, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)


@pytest.mark.parametrize("data", [{}, {"void": 9}, {"frame": {"pad": 3}}])
@pytest.mark.parametrize("resize", [None, 0.5, (40, 30)])
def test_what_is_read_is_what_was_decoded(
    tmp_path: Path, samples: tuple[Sample, ...], data: dict[str, Any], resize: Any
) -> None:
    cache = DiskCache(
        tmp_path / "decoded", _reader(tmp_path / "my data", **data), InputConfig(resize=resize)
    )
    decoded = decode(samples[0], cache.reader, cache.shown)
    assert cache.get(samples[0]) is None
    cache.put(samples[0], decoded)
    for each in (cache, _again(cache)):
        _assert_same(each.get(samples[0]), decoded)


def test_what_was_made_from_other_bytes_or_settings_is_not_read(
    tmp_path: Path, samples: tuple[Sample, ...], cache: DiskCache
) -> None:
    others = [
        DiskCache(cache.folder, cache.reader, InputConfig(resize=0.5)),
        DiskCache(cache.folder, _reader(tmp_path / "my data", frame={"pad": 2}), SHOWN),
        DiskCache(cache.folder, _reader(tmp_path / "my data", void=7), SHOWN),
        DiskCache(cache.folder, _reader(tmp_path / "my data", masks="masks/{id}.*"), SHOWN),
        DiskCache(cache.folder, _reader(tmp_path / "my data", classes={"a": 2}), SHOWN),
        DiskCache(cache.folder, SampleReader(cache.reader.data, tmp_path / "none"), SHOWN),
    ]
    assert all(other.get(samples[0]) is None for other in others)
    samples[1].masks[0].write_bytes(samples[2].masks[0].read_bytes())
    os.utime(samples[1].masks[0], ns=(1, 1))
    assert cache.get(samples[1]) is None and cache.get(samples[0]) is not None


def test_the_files_of_other_settings_are_swept(
    samples: tuple[Sample, ...], cache: DiskCache
) -> None:
    half = DiskCache(cache.folder, cache.reader, InputConfig(resize=0.5))
    half.put(samples[0], decode(samples[0], half.reader, half.shown))
    left = half.path(samples[0]).with_name(".of a killed run.tmp")
    left.write_bytes(b"x")
    sweep_decoded(cache.folder, [half.path(sample) for sample in samples])
    assert half.get(samples[0]) is not None and not left.exists()
    assert not any(cache.get(sample) for sample in samples)


def test_no_damage_reaches_a_training(samples: tuple[Sample, ...], cache: DiskCache) -> None:
    """Any byte altered, cut off or added: the sample is decoded again, and the file is named."""
    path, wheel = cache.path(samples[0]), random.Random(0)
    whole = path.read_bytes()
    decoded = decode(samples[0], cache.reader, SHOWN)
    spoilt = [b"", whole[:100], whole[:-1], whole + b"x", b"\0" * len(whole)]
    for place in [0, 5, *(wheel.randrange(len(whole)) for _ in range(100))]:
        spoilt.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for content in spoilt:
        path.write_bytes(content)
        reader = _again(cache)
        found = reader.get(samples[0])
        if found is not None:  # a blank of the header's padding
            _assert_same(found, decoded)
            continue
        assert not path.exists() and damaged(cache.folder) == [Path(f"{path}{DAMAGED}")]
        reader.put(samples[0], decoded)
        _assert_same(reader.get(samples[0]), decoded)
        damaged(cache.folder)[0].unlink()


def test_an_altered_shape_of_as_many_pixels_is_noticed(
    samples: tuple[Sample, ...], cache: DiskCache
) -> None:
    path = cache.path(samples[0])
    content = path.read_bytes()
    turned = content.replace(b"[45, 61, 3]", b"[61, 45, 3]").replace(b"[1, 45, 61]", b"[1, 61, 45]")
    assert turned != content and len(turned) == len(content)
    path.write_bytes(turned)
    assert _again(cache).get(samples[0]) is None


def test_a_disk_that_is_full_only_costs_time(samples: tuple[Sample, ...], tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "decoded", _reader(tmp_path / "my data"), SHOWN)
    decoded = decode(samples[0], cache.reader, SHOWN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        cache.put(samples[0], decoded)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert cache.get(samples[0]) is None
    assert [path.suffix for path in cache.folder.rglob("*.*")] == [UNWRITTEN]
    assert unwritten(cache.folder) == "File too large"
    sweep_decoded(cache.folder, [])
    assert unwritten(cache.folder) is None
    cache.put(samples[0], decoded)
    _assert_same(cache.get(samples[0]), decoded)


def test_a_folder_that_cannot_be_made_only_costs_time(
    samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    (tmp_path / "decoded").write_text("in the way")
    cache = DiskCache(tmp_path / "decoded", _reader(tmp_path / "my data"), SHOWN)
    cache.put(samples[0], decode(samples[0], cache.reader, SHOWN))
    assert cache.get(samples[0]) is None


@pytest.fixture
def decoded_ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which samples' files the trainings of this process decode."""
    ids: list[str] = []

    def counted(sample: Sample, reader: SampleReader, shown: InputConfig) -> Decoded:
        ids.append(sample.id)
        return decode(sample, reader, shown)

    for reader_of_samples in (dataset, held_out):
        monkeypatch.setattr(reader_of_samples, "decode", counted)
    return ids


def _train(root: Path, workspace: Path, cache: Any, **blocks: Any) -> StageContext:
    settings = {"train": {"epochs": 2, "cache": cache, "size": [32, 32]}}
    stage = context(root / "my data", workspace, **{**ONE_MODEL, **settings, **blocks})
    train.run(stage)
    return stage


def _weights(workspace: Path) -> dict[str, str]:
    files = sorted((workspace / "runs/discs").glob("*/fold*/*.safetensors"))
    return {str(path.relative_to(workspace)): file_checksum(path) for path in files}


@pytest.mark.slow
def test_a_run_decodes_each_sample_once(
    samples: tuple[Sample, ...], tmp_path: Path, decoded_ids: list[str]
) -> None:
    """Over epochs, folds and models; and the weights are those of a run that keeps nothing."""
    models = {name: {"decoder": "linknet", **TINY} for name in "ab"}
    stage = _train(tmp_path, tmp_path / "disk", "auto", models=models)
    assert sorted(decoded_ids) == sorted(sample.id for sample in samples)
    assert len(list(stage.workspace.decoded.glob("*/*"))) == len(samples)
    _train(tmp_path, tmp_path / "none", "off", models=models)
    assert len(decoded_ids) > 2 * len(samples)
    assert not (tmp_path / "none/runs/discs/decoded").exists()
    assert _weights(tmp_path / "disk") == _weights(tmp_path / "none")


@pytest.mark.slow
def test_held_out_images_are_predicted_from_decoded_samples(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, kept = (_train(tmp_path, tmp_path / name, "disk") for name in ("whole", "kept"))
    shutil.rmtree(whole.workspace.decoded)
    expected = infer.run(whole).oof["a"]
    train_ids = {sample.id for sample in samples}
    real = SampleReader.image

    def only_test(self: SampleReader, sample: Sample) -> Any:
        assert sample.id not in train_ids, f"{sample.id} is decoded again"
        return real(self, sample)

    monkeypatch.setattr(SampleReader, "image", only_test)
    found = infer.run(kept).oof["a"]
    for each in expected.ids:
        np.testing.assert_array_equal(found.read_raw(each), expected.read_raw(each))


@pytest.mark.slow
def test_a_damaged_file_is_named_when_the_training_ends(
    samples: tuple[Sample, ...], tmp_path: Path, decoded_ids: list[str]
) -> None:
    stage = _train(tmp_path, tmp_path, "disk")
    next(stage.workspace.decoded.glob("*/*")).write_bytes(b"x")
    decoded_ids.clear()
    again = _train(tmp_path, tmp_path, "disk", models={"b": {"decoder": "unet", **TINY}})
    assert len(decoded_ids) == 1
    warned = "\n".join(again.reporter.warned)  # type: ignore[attr-defined]
    assert "1 decoded sample(s) were damaged on the disk and decoded again" in warned


@pytest.mark.slow
def test_a_full_disk_is_named_when_the_training_ends(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(decoded_room, "replace_whole", full)
    stage = _train(tmp_path, tmp_path, "disk")
    warned = "\n".join(stage.reporter.warned)  # type: ignore[attr-defined]
    assert "could not all be written to" in warned and "No space left on device" in warned
    monkeypatch.undo()
    again = _train(tmp_path, tmp_path, "disk", models={"b": {"decoder": "unet", **TINY}})
    assert not again.reporter.warned  # type: ignore[attr-defined]


def test_a_folder_that_cannot_be_written_is_named_before_the_training(
    samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    (tmp_path / "runs/discs").mkdir(parents=True)
    (tmp_path / "runs/discs/decoded").write_text("in the way")
    stage = _train(tmp_path, tmp_path, "disk")
    (warned,) = stage.reporter.warned  # type: ignore[attr-defined]
    assert "runs/discs/decoded cannot be written (File exists)" in warned


def test_a_disk_without_room_is_refused_where_it_is_asked_for(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 20_000)
    monkeypatch.setattr(decoded_samples, "free_bytes", lambda _: 20_000)
    monkeypatch.setattr(trial_networks, "check_room", lambda *_: None)
    with pytest.raises(ResourceError, match=r"train will write .*decoded.*or set train\.cache=off"):
        _train(tmp_path, tmp_path, "disk")
    _train(tmp_path, tmp_path, "auto")
    assert not (tmp_path / "runs/discs/decoded").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import atomic_files
from pipeline.config import InputConfig
from pipeline.data.decoded import decode
from tests.data.test_decoded import DiskCache, _reader, list_samples
folder, after = Path(sys.argv[1]), int(sys.argv[2])
cache = DiskCache(folder / "decoded", _reader(folder / "my data"), InputConfig())
seen = 0
def count(frame, event, argument):
    global seen
    if frame.f_code.co_filename == atomic_files.__file__:
        seen += event == "line"
        if seen == after:
            os.kill(os.getpid(), signal.SIGKILL)
    return count
for sample in list_samples(cache.reader.data).train:
    decoded = decode(sample, cache.reader, InputConfig())
    sys.settrace(count)
    cache.put(sample, decoded)
    sys.settrace(None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", range(1, 40, 3))
def test_killed_at_any_line_what_is_there_is_whole(
    samples: tuple[Sample, ...], tmp_path: Path, after: int
) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(after)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root)})
    assert done.returncode in (0, -signal.SIGKILL)
    cache = DiskCache(tmp_path / "decoded", _reader(tmp_path / "my data"), SHOWN)
    for sample in samples:
        found = cache.get(sample)
        assert found is None or found.image.shape == (45, 61, 3)
    assert not damaged(cache.folder)
