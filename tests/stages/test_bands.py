"""Images of bands, from check to submission, prediction and export."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pipeline import cli, open_run
from pipeline.data.catalog import list_samples
from pipeline.data.decoded import DiskCache
from pipeline.data.image_sources.registry import image_source
from pipeline.data.inspection import inspect
from pipeline.data.samples import SampleReader
from pipeline.data.stamps import stamp_of
from pipeline.errors import ConfigError, DataError
from pipeline.member_id import MemberId
from pipeline.models.checkpoint import load_weights
from pipeline.models.factory import build_model
from pipeline.stages import train
from pipeline.stages.parts import trial_networks
from tests.helpers.competitions import TINY, draw_discs, raw_experiment
from tests.helpers.kelp import BANDS, INDEX, NO_DATA, draw_kelp, kelp_experiment
from tests.helpers.kidney import STACK, draw_kidney, kidney_experiment

FIVE = ["red", "green", "blue", "nir", "ndvi"]


@pytest.fixture(scope="module")
def kelp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kelp")
    draw_kelp(folder)
    return folder


def _write(folder: Path, raw: dict[str, Any]) -> Path:
    path = folder / "kelp.yaml"
    path.write_text(yaml.safe_dump({**raw, "name": "kelp"}))
    return path


def _make(folder: Path, *words: str) -> int:
    return cli.main([*words, "--config", "kelp.yaml", "--jobs", "1"])


def test_from_files_of_bands_to_masks(
    kelp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    models = {
        "five": {"decoder": "unet", **TINY, "input": {"bands": FIVE}},
        "all": {"decoder": "linknet", **TINY, "input": {"normalise": "percentile(1, 99)"}},
    }
    augment = {"colour": 0.5, "band_drop": 0.1, "flips": ["horizontal", "vertical"]}
    raw = kelp_experiment(kelp, models=models, train={"augment": augment, "epochs": 1})
    run = open_run(_write(tmp_path, raw))
    assert _make(tmp_path, "all") == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "lack data in some band" in shown.out + shown.err
    assert "band clouds is" not in shown.err  # noise: it is not constant
    (submission,) = (tmp_path / "submissions" / "kelp").glob("*.csv")
    assert len(submission.read_text().splitlines()) == 1 + 4
    predict = run.predictor()
    mask = predict(kelp / "test" / "k01.npy")
    assert mask.shape == (1, 48, 64) and mask.dtype == np.bool_
    assert _make(tmp_path, "predict", f"--images={kelp}/test/*.npy", "--out=masks") == 0
    assert len(list((tmp_path / "masks").glob("*.png"))) == 4
    assert _make(tmp_path, "export", "--model=five", "--fold=0", "--format=onnx") == 0
    card = yaml.safe_load((tmp_path / "runs/kelp/export/five-fold0.yaml").read_text())["input"]
    assert card["layout"].startswith("N x 8 x H x W") and "swir, nir, red" in card["layout"]
    assert "NaN where there is no data" in card["scale"]
    assert (tmp_path / "runs/kelp/report.html").is_file()


def test_statistics_are_those_of_the_own_training_images(
    kelp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = {"nir": "zscore", "ndvi": "range(-1, 1)", "red": "minmax"}
    models = {"a": {"decoder": "unet", **TINY, "input": {"bands": list(rules), "normalise": rules}}}
    training = {"epochs": 1, "steps": 1}
    run = open_run(_write(tmp_path, kelp_experiment(kelp, models=models, train=training)))
    run.train()
    jobs = train.list_jobs(run.context("train"))
    nir, red = BANDS.index("nir"), BANDS.index("red")
    for job in jobs.values():
        network = trial_networks.unweighted(job.model, 1, job.reader)
        load_weights(job.paths.weights("ema"), network)
        pixels = np.concatenate([np.load(each.image).reshape(-1, 7) for each in job.train])
        there = pixels[(pixels != NO_DATA).all(axis=1)].astype(float)
        assert network.bands is not None
        offset, factor = network.bands.offset.flatten(), network.bands.factor.flatten()
        low, high = there[:, red].min(), there[:, red].max()
        assert float(offset[2]) == pytest.approx(low) and float(factor[2]) == pytest.approx(
            1 / (high - low)
        )
        assert float(offset[1]) == pytest.approx(-1) and float(factor[1]) == pytest.approx(0.5)
        mean, std = float(network.encoder.mean[0, 0]), float(network.encoder.std[0, 0])
        seen = (there[:, nir] - float(offset[0])) * float(factor[0])
        assert ((seen - mean) / std).mean() == pytest.approx(0, abs=1e-3)
        assert ((seen - mean) / std).std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"bands": list(BANDS[:6])}, "has 7 channel(s), and data.bands names 6"),
        ({"bands": list(BANDS), "derive": {"x": "nir + infrared"}}, "there is no band 'infrared'"),
        ({"bands": list(BANDS), "derive": {"x": "__import__('os')"}}, "only numbers, bands"),
        ({"bands": list(BANDS), "derive": {"nir": INDEX}}, "a name stands twice"),
        ({"bands": list(BANDS), "show": ["nir", "red"]}, "show takes one band, or three"),
        ({"bands": None, "derive": {}, "no_data": 0}, "no_data needs bands"),
        ({"bands": list(BANDS), "stack": STACK, "reference": "train/{id}.npy"},
         "a reference has no neighbours"),
        ({"images": "train/{band}/{id}.npy", "bands": None, "derive": {}, "no_data": None},
         "needs the names of the bands"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(
    kelp: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: dict[str, Any],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, kelp_experiment(kelp, data=data))
    assert _make(tmp_path, "check") in (1, 2)
    assert says in capsys.readouterr().err


def test_a_file_a_band(
    kelp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bands of half the resolution are brought to the first one's; a missing one is named."""
    monkeypatch.chdir(tmp_path)
    for path in (kelp / "train").glob("*.npy"):
        scene = np.load(path)
        for name in ("red", "nir", "height"):
            band = scene[..., BANDS.index(name)]
            folder = tmp_path / "data" / "scenes" / path.stem
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{name}.npy", band[::2, ::2] if name == "height" else band)
    (tmp_path / "data" / "masks").symlink_to(kelp / "masks")
    data = {"images": "scenes/{id}/{band}.npy", "bands": ["red", "nir", "height"], "test": None}
    raw = kelp_experiment(tmp_path / "data", data=data)
    run = open_run(_write(tmp_path, raw))
    assert _make(tmp_path, "check") == 0, capsys.readouterr().err
    reader = train.list_jobs(run.context("train"))[MemberId("a", 0)].reader
    (tmp_path / "data/scenes/k03/nir.npy").unlink()
    assert _make(tmp_path, "check") == 1
    assert "k03" in (said := capsys.readouterr().err) and "nir.npy" in said
    assert reader.source.bands == ("red", "nir", "height", "ndvi")


@pytest.mark.slow
def test_neighbours_in_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_kidney(tmp_path / "data", stacks=3, slices=4)
    monkeypatch.chdir(tmp_path)
    flat = {"decoder": "unet", **TINY, "input": {"bands": ["gray"]}}
    models = {"three": {"decoder": "unet", **TINY}, "flat": flat}
    raw = kidney_experiment(tmp_path / "data", models=models, train={"epochs": 1, "steps": 2})
    run = open_run(_write(tmp_path, raw))
    assert _make(tmp_path, "all") == 0, capsys.readouterr().err
    reader = train.list_jobs(run.context("train"))[MemberId("three", 0)].reader
    by_id = {path.stem: path for path in (tmp_path / "data/train").iterdir()}
    planes = {name: np.asarray(Image.open(path), np.float32) for name, path in by_id.items()}
    seen = reader.source.read(by_id["kidney0_00"])
    assert reader.source.bands == ("gray@-1", "gray", "gray@+1")
    for number, name in enumerate(("kidney0_00", "kidney0_00", "kidney0_01")):
        assert np.array_equal(seen[..., number], planes[name])
    table = (tmp_path / "folds/kelp.csv").read_text()
    folds = {line.split(",")[0][:7]: set() for line in table.splitlines()[1:]}
    for line in table.splitlines()[1:]:
        folds[line.split(",")[0][:7]].add(line.split(",")[-1])
    assert all(len(each) == 1 for each in folds.values()), "a stack stays in one fold"
    by_id["kidney1_01"].unlink()
    (tmp_path / "data/masks/kidney1_01.png").unlink()
    assert _make(tmp_path, "check") == 0
    assert "1 position(s) without an image in kidney1" in capsys.readouterr().err


def test_a_changed_neighbour_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_kidney(tmp_path / "data", stacks=2, slices=3)
    monkeypatch.chdir(tmp_path)
    run = open_run(_write(tmp_path, kidney_experiment(tmp_path / "data")))
    context = run.context("check")
    source = image_source(context.experiment.data)
    catalog = list_samples(context.experiment.data)
    first = catalog.by_id["train"]["kidney0_00"]
    before = stamp_of(first, "train", context.experiment.data, source)
    os.utime(tmp_path / "data/train/kidney0_01.png", ns=(1, 1))
    after = stamp_of(first, "train", context.experiment.data, source)
    os.utime(tmp_path / "data/train/kidney0_02.png", ns=(1, 1))
    assert before != after == stamp_of(first, "train", context.experiment.data, source)


@pytest.mark.parametrize("changed", [{"no_data": -1}, {"derive": {"ndvi": "nir / red"}}])
def test_another_reading_is_another_member(
    kelp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = []
    for data in ({}, changed):
        run = open_run(_write(tmp_path, kelp_experiment(kelp, data=data)))
        job = train.list_jobs(run.context("train"))[MemberId("a", 0)]
        cache = DiskCache(tmp_path, job.reader, job.model.input)
        seen.append((job.fingerprint, cache.path(job.train[0]).name))
    assert seen[0][0] != seen[1][0] and seen[0][1] != seen[1][1]


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ({"infer": {"tta": ["identity", "scale:1.25"]}}, "scale, brightness and gamma are for"),
        ({"train": {"augment": {"colour_on": "device"}}}, "colour_on: device is for 8-bit RGB"),
        ({"input": {"bands": ["nir", "nir"]}}, "a band stands twice"),
        (
            {
                "data": {"bands": None, "derive": {}, "no_data": None},
                "train": {"augment": {"band_drop": 0.1}},
            },
            "band_drop needs data.bands",
        ),
    ],
)
def test_what_is_for_colours_is_refused(kelp: Path, blocks: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_run(kelp_experiment(kelp, **blocks), quiet=True)


def test_photographs_by_their_bands_are_seen_as_photographs(tmp_path: Path) -> None:
    draw_discs(tmp_path, count=2, test=1)
    image = next((tmp_path / "images").iterdir())
    seen = []
    for bands in (None, ["red", "green", "blue"]):
        raw = raw_experiment(tmp_path, input={"normalise": "encoder"})
        raw["data"]["bands"] = bands
        run = open_run(raw, quiet=True)
        reader = SampleReader(run.context("check").experiment.data)
        channels = reader.channels_for(run.context("check").experiment.models["a"].input)
        torch.manual_seed(0)
        spec = run.context("check").experiment.models["a"].architecture
        network = build_model(spec, classes=1, channels=channels).eval()
        pixels = np.asarray(reader.source.read(image), np.float32).transpose(2, 0, 1)[None]
        with torch.no_grad():
            seen.append(network(torch.from_numpy(pixels / np.float32(reader.source.scale))))
    assert torch.allclose(seen[0], seen[1], atol=1e-4)


def test_a_dropped_slice_is_nobodys_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_kidney(tmp_path / "data", stacks=2, slices=4)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/train/kidney0_01.png").write_bytes(b"broken")
    data = {"drop": ["kidney0_01"], "group": r"_(\d+)$"}
    _write(tmp_path, kidney_experiment(tmp_path / "data", data=data))
    assert _make(tmp_path, "check") == 0
    said = capsys.readouterr().err
    assert "kidney0, kidney1: one stack is in several groups" in said
    run = open_run(tmp_path / "kelp.yaml", quiet=True)
    source = image_source(run.context("check").experiment.data)
    path = Path("data/train/kidney0_02.png")
    assert source.files(path) == (path,)
    assert [each.name for each in source.neighbours(path)] == ["kidney0_03.png"]


def test_a_file_that_is_of_no_band_is_named(kelp: Path, tmp_path: Path) -> None:
    data = {"images": "s/{id}/{band}.npy", "bands": ["red", "nir"], "test": None}
    raw = kelp_experiment(kelp, data=data)
    source = image_source(open_run(raw, quiet=True).context("check").experiment.data)
    with pytest.raises(DataError, match="the other files of its image are not known"):
        source.read(tmp_path / "x.npy")


def test_copies_are_told_in_stacks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an image is read together with is no part of whether it is a copy."""
    draw_kidney(tmp_path / "data", stacks=2, slices=4)
    monkeypatch.chdir(tmp_path)
    shutil.copy("data/train/kidney0_01.png", "data/train/kidney1_02.png")
    _write(tmp_path, kidney_experiment(tmp_path / "data"))
    _make(tmp_path, "check")
    said = capsys.readouterr().err
    assert "kidney0_01" in said and "kidney1_02" in said


def test_any_file_of_a_reference_is_seen_to_change(kelp: Path, tmp_path: Path) -> None:
    for part in ("images", "refs"):
        for path in sorted((kelp / "train").glob("*.npy"))[:4]:
            folder = tmp_path / part / path.stem
            folder.mkdir(parents=True)
            for name in ("red", "nir"):
                np.save(folder / f"{name}.npy", np.load(path)[..., BANDS.index(name)])
    (tmp_path / "masks").symlink_to(kelp / "masks")
    data = {"root": str(tmp_path), "images": "images/{id}/{band}.npy", "bands": ["red", "nir"],
            "reference": "refs/{id}/{band}.npy", "test": None}  # fmt: skip
    experiment = open_run(kelp_experiment(kelp, data=data), quiet=True).context("check").experiment
    digests = []
    for number in (0, 1):
        np.save(tmp_path / "refs/k01/nir.npy", np.full((48, 64), number, np.int16))
        records = inspect(list_samples(experiment.data), experiment.data, {}, lambda _: None)
        digests.append({record.id: record.digest for record in records})
    changed = {each for each in digests[0] if digests[0][each] != digests[1][each]}
    assert changed == {"k01"}
