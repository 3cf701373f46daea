"""`init`: members that start from those of another model, fold by fold, and from nothing else."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import ArtefactError, ConfigError, MaskmillError
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.stages import check, folds, train
from pipeline.stages.context import StageContext
from pipeline.stages.parts import warm_start
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from tests.helpers.competitions import TINY, context, draw_discs, experiment, said
from tests.helpers.training_jobs import job_context

LINKNET = {"decoder": "linknet", **TINY}
SHORT = {"size": [32, 32], "epochs": 1, "ema": None}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `discs`, in which model `a` is trained."""
    folder = tmp_path_factory.mktemp("trained")
    draw_discs(folder / "data", count=8, test=1, size=(32, 32))
    train.run(_stage(folder, "discs", a=LINKNET))
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test works."""
    folder = shutil.copytree(trained, tmp_path / "place", symlinks=True)
    monkeypatch.chdir(folder)
    return Path(folder)


def _stage(folder: Path, name: str, **models: Any) -> StageContext:
    blocks = {"train": SHORT, "models": models}
    return context(folder / "data", folder, name=name, **blocks)


def _other(place: Path, name: str = "other", **model: Any) -> StageContext:
    """Another run over the same images and folds, that starts from the trained one."""
    (place / "folds" / f"{name}.csv").write_bytes((place / "folds/discs.csv").read_bytes())
    return _stage(place, name, x={**LINKNET, "init": "runs/discs/a", **model})


def _same(own: dict[str, torch.Tensor], source: dict[str, torch.Tensor]) -> bool:
    """Whether all weights of the source are there; how often norms have counted does not matter."""
    weights = {name: each for name, each in source.items() if "num_batches" not in name}
    return all(torch.equal(own[name], each) for name, each in weights.items())


def test_each_fold_starts_from_its_own(place: Path) -> None:
    jobs = train.list_jobs(_other(place))
    for fold in (0, 1):
        run = TrainingRun(jobs[MemberId("x", fold)], job_context(place))
        source = load_file(place / f"runs/discs/a/fold{fold}/last_plain.safetensors")
        own = run.learner.plain.state_dict()
        assert _same(own, source)
    assert jobs[MemberId("x", 0)].fingerprint != jobs[MemberId("x", 1)].fingerprint


def test_models_of_one_experiment_are_trained_in_their_order(place: Path) -> None:
    models = {"c": {**LINKNET, "init": "b"}, "b": {**LINKNET, "init": "runs/discs/a"}, "a": LINKNET}
    stage = _stage(place, "discs", **models)
    members = train.run(stage)
    assert list(members) == [MemberId(name, fold) for name in models for fold in (0, 1)]
    assert "trained (c/fold0, c/fold1, b/fold0, b/fold1)" in said(stage)
    again = _stage(place, "discs", **models)
    assert train.run(again) == members and "trained" not in said(again)


@pytest.mark.slow
def test_a_source_that_is_trained_again_makes_stale_what_started_from_it(place: Path) -> None:
    train.run(_other(place))
    fresh = train.list_jobs(_other(place))
    assert all(map(train.is_trained, fresh.values()))
    source = _stage(place, "discs", a=LINKNET)
    source.experiment = experiment(
        place / "data", train={**SHORT, "lr": 5e-3}, models={"a": LINKNET}
    )
    train.run(source)
    stale = train.list_jobs(_other(place))
    assert not any(map(train.is_trained, stale.values()))
    changed = [
        name
        for name, each in stale[MemberId("x", 0)].made_from.items()
        if fresh[MemberId("x", 0)].made_from[name] != each
    ]
    assert changed == ["starting weights"]


def test_another_fold_table_is_refused_with_numbers(place: Path) -> None:
    models = {"x": {**LINKNET, "init": "runs/discs/a"}}
    stage = context(
        place / "data",
        place,
        name="other",
        train=SHORT,
        models=models,
        folds={"seed": 5, "count": 2},
    )
    with pytest.raises(
        ConfigError,
        match=r"models\.x\.init: runs/discs/a/fold0 was trained on \d of the \d images that fold 0 "
        r"holds out here \(i\d_\d, .*copy of folds/discs\.csv",
    ):
        train.run(stage)
    assert not list(place.glob("runs/other/x/*/manifest.json"))


def test_an_image_that_the_other_run_does_not_know_is_refused(place: Path) -> None:
    data = place / "data"
    for part in ("images", "masks"):
        shutil.copy(data / part / "i0_0.png", data / part / "i9_9.png")
    stage = _other(place)
    table = place / "folds/other.csv"
    table.write_text(table.read_text() + "i9_9,i9,q1,0\n")
    with pytest.raises(ConfigError, match=r"fold0 (does not know 1|was trained on 1) .*i9_9"):
        train.run(stage)


def test_a_table_that_changed_since_is_not_believed(place: Path) -> None:
    table = place / "folds/discs.csv"
    lines = table.read_text().splitlines()
    swapped = [line[:-1] + {"0": "1", "1": "0"}[line[-1]] for line in lines[1:]]
    table.write_text("\n".join([lines[0], *swapped]) + "\n")
    with pytest.raises(
        ArtefactError, match=r"folds/discs\.csv or the images .* have changed since"
    ):
        train.run(_other(place))


@pytest.mark.parametrize("missing", ["folds/discs.csv", "runs/discs/index.csv"])
def test_a_lost_table_of_the_other_run_is_told_with_the_key(place: Path, missing: str) -> None:
    stage = _other(place)
    (place / missing).unlink()
    with pytest.raises(
        ArtefactError, match=rf"models\.x\.init: .* has seen: there is no .*{missing}"
    ):
        train.run(stage)


@pytest.mark.parametrize(
    ("init", "says"),
    [
        ("runs/nothing/a", r"models\.x\.init: runs/nothing/a is neither another model"),
        ("runs/discs", "nor the folder of a model of a run"),
        ("runs/discs/a/fold0", "nor the folder of a model of a run"),
        ("runs/discs/a/fold0/last_plain.safetensors", "is of one fold; give the folder"),
        (
            "runs/discs/empty",
            r"not trained, .* first: make train CONFIG=configs/discs\.yaml MODEL=em",
        ),
    ],
)
def test_what_is_not_there_is_named_with_a_remedy(place: Path, init: str, says: str) -> None:
    (place / "runs/discs/empty").mkdir()
    with pytest.raises(ConfigError, match=says):
        train.run(_other(place, init=init))


def test_a_source_that_was_left_out_is_asked_for(place: Path) -> None:
    models = {"new": {**LINKNET, "init": "old"}, "old": {"decoder": "unet", **TINY}}
    stage = _stage(place, "discs", **models)
    stage.model = "new"
    with pytest.raises(ConfigError, match=r"old/fold0 is not trained, .*train MODEL=old FOLD=0"):
        train.run(stage)


def test_a_damaged_source_is_found(place: Path) -> None:
    weights = place / "runs/discs/a/fold1/last_plain.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"last_plain\.safetensors is damaged"):
        train.run(_other(place))


def test_another_network_is_partial(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"models\.x\.init: weights .*allow_partial: true"):
        train.run(_other(place, decoder="unet"))
    with caplog.at_level(logging.WARNING):
        jobs = train.list_jobs(_other(place, decoder="unet", allow_partial=True))
        TrainingRun(jobs[MemberId("x", 0)], job_context(place))
    assert len(caplog.messages) == 1 and "partly loaded from runs/discs/a/fold0" in caplog.text


def test_a_head_of_other_classes_stays_new(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = _other(place, allow_partial=True)
    job = replace(train.list_jobs(stage)[MemberId("x", 0)], classes=("disc", "ring"))
    with caplog.at_level(logging.WARNING):
        run = TrainingRun(job, job_context(place))
    assert "of another shape (head" in caplog.text and "missing" not in caplog.text
    source = load_file(place / "runs/discs/a/fold0/last_plain.safetensors")
    own = run.learner.plain.state_dict()
    assert _same(own, {name: each for name, each in source.items() if "head" not in name})


def test_a_file_is_read_as_weights_are(place: Path) -> None:
    file = shutil.copy(
        place / "runs/discs/a/fold0/last_plain.safetensors", place / "smp.safetensors"
    )
    by_init = train.list_jobs(_other(place, init=str(file)))[MemberId("x", 0)]
    by_weights = train.list_jobs(_other(place, init=None, weights=str(file)))[MemberId("x", 0)]
    assert by_init.fingerprint == by_weights.fingerprint


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ({"x": {**LINKNET, "init": "x"}}, "x → x is a circle"),
        ({"x": {**LINKNET, "init": "runs/discs/x"}}, "x → x is a circle"),
        (
            {"x": {**LINKNET, "init": "y"}, "y": {**LINKNET, "init": "runs/discs/x/"}},
            "x → y → x is a circle",
        ),
        ({"x": {**LINKNET, "init": "y", "weights": "file.pth"}}, "not both"),
    ],
)
def test_circles_and_two_starts_are_mistakes(models: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        experiment(Path("data"), models=models)


def test_a_circle_by_an_absolute_path_is_found_as_well(place: Path) -> None:
    models = {"a": {**LINKNET, "init": "b"}, "b": {**LINKNET, "init": str(place / "runs/discs/a")}}
    with pytest.raises(ConfigError, match="is a circle"):
        train.run(_stage(place, "discs", **models))


def test_a_start_that_cannot_be_leaves_the_fold_table_alone(place: Path) -> None:
    stage = _stage(place, "new", x={**LINKNET, "init": "runs/nothing/a"})
    with pytest.raises(MaskmillError, match="is neither"):
        train.run(stage)
    assert not stage.workspace.fold_table.exists()
    assert folds.run(_stage(place, "new", x=LINKNET)) is not None


@pytest.mark.slow
def test_a_member_of_all_images_starts_from_one_of_all_images(place: Path) -> None:
    models = {"b": {**LINKNET, "init": "a"}, "a": LINKNET}
    blocks: dict[str, Any] = {"train": SHORT, "folds": {"count": 2, "all": True}}
    stage = context(place / "data", place, models=models, **blocks)
    stage.fold = "all"
    train.run(stage)
    job = train.list_jobs(stage)[MemberId("b", ALL_IMAGES)]
    assert job.model.architecture.weights == str(place / "runs/discs/a/all/last_plain.safetensors")


def test_a_network_that_cannot_be_made_is_told_with_its_model(place: Path) -> None:
    strided = {"decoder": "bisenet", "output_stride": 8, **TINY}
    with pytest.raises(ConfigError, match=r"^models\.s: decoder 'bisenet' needs every reduction"):
        train.run(_stage(place, "discs", a=LINKNET, s=strided))


def test_every_seed_starts_from_the_first_member_of_its_fold(place: Path) -> None:
    stage = _other(place, seeds=2)
    jobs = train.list_jobs(stage)
    for (_, fold, _), job in jobs.items():
        source = f"runs/discs/a/fold{fold}/last_plain.safetensors"
        assert job.model.architecture.weights == source and job.waits_for is None
    assert len({job.fingerprint for job in jobs.values()}) == len(jobs) == 4


def test_later_seeds_ask_what_their_source_has_seen_as_well(place: Path) -> None:
    stage = _other(place, seeds=2)

    def later(stage: StageContext) -> list[TrainJob]:
        return [job for member, job in train.list_jobs(stage).items() if member.seed == 1]

    warm_start.check(stage, later(stage), check.run(stage))
    table = place / "folds/other.csv"
    lines = table.read_text().splitlines()
    swapped = [line[:-1] + {"0": "1", "1": "0"}[line[-1]] for line in lines[1:]]
    stage = _other(place, seeds=2)
    table.write_text("\n".join([lines[0], *swapped]) + "\n")
    with pytest.raises(ConfigError, match=r"runs/discs/a/fold0 was trained on (\d) of the \1 "):
        warm_start.check(stage, later(stage), check.run(stage))


@pytest.mark.slow
def test_seeds_of_one_experiment_wait_for_the_first_member_of_their_fold(place: Path) -> None:
    models = {"b": {**LINKNET, "init": "a", "seeds": 2}, "a": {**LINKNET, "seeds": 2}}
    shutil.rmtree(place / "runs/discs/a/fold1")
    stage = _stage(place, "discs", **models)
    stage.fold = 1
    members = train.run(stage)
    again = _stage(place, "discs", **models)
    jobs = train.list_jobs(again)
    for seed in (0, 1):
        job = jobs[MemberId("b", 1, seed)]
        assert train.is_trained(job) and members[MemberId("b", 1, seed)].paths == job.paths
        weights = place / "runs/discs/a/fold1/last_plain.safetensors"
        assert job.model.architecture.weights == str(weights)
