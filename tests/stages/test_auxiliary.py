"""Members with auxiliary outputs: stopped and resumed, accumulated, and columns of tables."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from pipeline.config import build_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.decoded import DiskCache, decode
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.postprocessing.instances import connected_instances
from pipeline.ensemble.postprocessing.registry import apply_steps
from pipeline.ensemble.postprocessing.step import ChosenStep
from pipeline.errors import ConfigError, DataError, InterruptedRunError
from pipeline.inference.job import load_network
from pipeline.known_names import name_checks
from pipeline.member_id import MemberId
from pipeline.prediction.finished_run import read_finished_run
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.reporting import SilentReporter
from pipeline.stages import ensemble, infer, submit, train
from pipeline.stages.parts import summed_maps
from pipeline.training.learner import Learner
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.staged import train_member
from tests.helpers.competitions import TINY, context, draw_discs, raw_experiment
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes

EVERY: list[dict[str, Any]] = [
    {"name": "deep_supervision"},
    {"name": "presence"},
    {"name": "boundary"},
    {"name": "distance"},
    {"name": "centre"},
    {"name": "column", "column": "depth", "csv": "table.csv", "id": "image"},
    {"name": "column", "column": "kind", "csv": "table.csv", "id": "image", "as": "classification"},
]
MAPS = EVERY[:5]


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    rows = [
        f"i{n // 2}_{n},{n if n != 5 else ''},{'ab'[n % 2] if n else 'only once'}"
        for n in range(16)
        if n != 7
    ]
    (folder / "table.csv").write_text("\n".join(["image,depth,kind", *rows]) + "\n")
    return folder


def _job(
    discs: Path, folder: Path, auxiliary: list[dict[str, Any]], fold: int = 0, **training: Any
) -> TrainJob:
    blocks = {"size": [32, 32], "epochs": 1, "batch": 4, "ema": 0.9, "lr": 3e-3, **training}
    model = {"decoder": "linknet", **TINY, "auxiliary": auxiliary}
    stage = context(discs, folder, train=blocks, models={"a": model})
    return train.list_jobs(stage)[MemberId("a", fold)]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stop_changes_no_byte_and_history_has_each_loss(
    discs: Path, tmp_path: Path, workers: int
) -> None:
    settings = {"batch": 2, "steps": 3, "epochs": 1}
    whole = _job(discs, tmp_path / "whole", EVERY, **settings)
    train_member(whole, job_context(tmp_path))
    broken = _job(discs, tmp_path / "broken", EVERY, workers=workers, **settings)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(1)))
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)
    history = pd.read_csv(whole.paths.history)
    labels = ["deep_supervision", "presence", "boundary", "distance", "centre", "column_depth",
              "column_kind"]  # fmt: skip
    assert list(history.columns[-7:]) == [f"aux_{label}" for label in labels]
    assert (history[history.columns[-7:]] > 0).all(axis=None)


def test_weights_say_what_is_in_them_and_predict_without(discs: Path, tmp_path: Path) -> None:
    job = _job(discs, tmp_path, EVERY)
    train_member(job, job_context(tmp_path))
    with safe_open(job.paths.weights("ema"), framework="pt") as file:
        facts = json.loads(file.metadata()["maskmill"])["auxiliary"]
    numbers = [n for n in range(16) if f"i{n // 2}_{n}" in {each.id for each in job.train}]
    known = [n for n in numbers if n not in (5, 7)]
    assert facts["column_depth"]["mean"] == pytest.approx(np.mean(known))
    assert facts["column_depth"]["deviation"] == pytest.approx(np.std(known))
    assert set(facts["column_kind"]["classes"]) <= {"a", "b", "only once"}
    channels = job.reader.channels_for(job.model.input)
    network = load_network(job.model, job.paths.weights("ema"), 1, channels)
    assert network.outputs is None


def test_without_outputs_nothing_is_new(discs: Path, tmp_path: Path) -> None:
    job = _job(discs, tmp_path, [])
    assert job.aims is None and "auxiliary columns" not in job.made_from
    train_member(job, job_context(tmp_path))
    history = pd.read_csv(job.paths.history)
    assert list(history.columns) == ["epoch", "loss", "score", "lr", "waiting"]
    with safe_open(job.paths.weights("ema"), framework="pt") as file:
        assert "auxiliary" not in json.loads(file.metadata()["maskmill"])


def test_batches_that_are_accumulated_are_one_large_batch(discs: Path, tmp_path: Path) -> None:
    losses = []
    for batch, accumulate in ((8, 1), (2, 4)):
        name = f"{batch}"
        job = _job(discs, tmp_path / name, EVERY[1:], batch=batch, accumulate=accumulate,
                   loss="bce", ema=None)  # fmt: skip
        run = TrainingRun(job, job_context(tmp_path))
        run.learner.network.eval()  # so that no statistics of a batch are in its loss
        run.learner.plain.training = True
        step = list(islice(run.loader.epoch(0), accumulate))
        losses.append((float(run.learner.learn(step, 0)), run.learner.auxiliary.means(1)))
        run.loader.close()
    (one, by_one), (other, by_other) = losses
    assert one == pytest.approx(other, rel=1e-4)
    assert by_one == pytest.approx(by_other, rel=1e-4)


def _with_table(discs: Path, text: str, column: dict[str, Any], tmp_path: Path) -> str:
    path = discs / "other.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        _job(discs, tmp_path, [{"name": "column", "csv": "other.csv", **column}])
    return str(error.value)


def test_a_column_that_teaches_nothing_is_refused(discs: Path, tmp_path: Path) -> None:
    ids = [f"i{n // 2}_{n}" for n in range(16)]
    table = "id,d,n\n" + "".join(f"{each},7,x{n}\n" for n, each in enumerate(ids))
    column = {"column": "d"}
    assert "auxiliary[0]" in _with_table(discs, table, {"column": "e"}, tmp_path)
    assert "no column 'e'" in _with_table(discs, table, {"column": "e"}, tmp_path)
    assert "is 7 for all training images" in _with_table(discs, table, column, tmp_path)
    named = {**column, "as": "classification"}
    assert "is 7 for all training images" in _with_table(discs, table, named, tmp_path)
    empty = table.replace(",7,", ",,")
    assert "no value of 'd' for any training image" in _with_table(discs, empty, column, tmp_path)
    words = _with_table(discs, table, {"column": "n"}, tmp_path)
    assert "line 2: n is 'x0', which is no number" in words
    twice = table + f"{ids[0]},8,x\n"
    assert "in another row" in _with_table(discs, twice, column, tmp_path)
    other = table.replace("i", "j").replace("jd", "id")
    assert "should hold ids such as" in _with_table(discs, other, column, tmp_path)


def test_another_value_makes_another_member(discs: Path, tmp_path: Path) -> None:
    output = [{"name": "column", "csv": "c.csv", "column": "d"}]
    ids = [f"i{n // 2}_{n}" for n in range(16)]
    found = []
    for value in (1, 2):
        rows = [f"{each},{n if n else value}" for n, each in enumerate(ids)]
        (discs / "c.csv").write_text("\n".join(["id,d", *rows]) + "\n")
        jobs = [_job(discs, tmp_path / f"{value}", output, fold) for fold in (0, 1)]
        found.append({job.name: (job.fingerprint, ids[0] in {s.id for s in job.train})
                      for job in jobs})  # fmt: skip
    for name, (before, learned) in found[0].items():
        assert (found[1][name][0] != before) == learned


def test_presence_of_a_class_that_is_everywhere_is_warned_of(discs: Path, tmp_path: Path) -> None:
    model = {"decoder": "linknet", **TINY, "auxiliary": [{"name": "presence"}]}
    stage = context(discs, tmp_path, train={"length": 1, "epochs": 1}, models={"a": model})
    train.run(stage)
    assert isinstance(stage.reporter, SilentReporter)
    warned = "\n".join(stage.reporter.warned)
    assert "models.a.auxiliary[0]: presence of a/fold0: disc is in every training image" in warned


def _draw_objects(folder: Path, count: int = 4) -> None:
    """Two squares side by side an image, each in a file of its own."""
    for number in range(count):
        image = np.full((48, 64, 3), 30 * number, np.uint8)
        for name, columns in (("one", slice(10, 30)), ("two", slice(30, 50))):
            mask = np.zeros((48, 64), np.uint8)
            mask[12:36, columns] = 255
            path = folder / f"masks/i{number}_{number}/{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"images/i{number}_{number}.png")


def test_objects_of_masks_are_told_apart_through_the_cache(tmp_path: Path) -> None:
    _draw_objects(tmp_path / "d")
    data = {"masks": "masks/{id}/*.png", "test": None}
    augment = {"affine": 0, "colour": 0, "flips": []}
    model = {"decoder": "linknet", **TINY, "auxiliary": MAPS}
    blocks = {"size": [48, 64], "length": 1, "epochs": 1, "augment": augment, "cache": "disk"}
    stage = context(tmp_path / "d", tmp_path / "w", data=data, train=blocks, models={"a": model})
    job = train.list_jobs(stage)[MemberId("a", 0)]
    sample = list_samples(job.reader.data).train[0]
    cache = DiskCache(tmp_path / "c", job.reader, job.model.input)
    whole = decode(sample, job.reader, job.model.input)
    assert whole.objects is not None
    cache.put(sample, whole)
    again = cache.get(sample)
    assert again is not None and again.objects is not None
    assert np.array_equal(again.objects, whole.objects)
    run = TrainingRun(job, job_context(tmp_path))
    (batch,) = list(run.loader.epoch(0))[:1]
    run.loader.close()
    targets = {label: each.numpy()[0, 0] for label, each in batch.targets.items() if each.ndim > 2}
    assert targets["boundary"][24, 30] == 254 and targets["distance"][24, 30] < 60
    assert targets["centre"][23, 19:21].min() > 250 and targets["centre"][23, 39:41].min() > 250
    plain = DiskCache(tmp_path / "c", train.align.run(stage), job.model.input)
    assert plain.path(sample) != cache.path(sample)


@pytest.mark.parametrize("mix", ["mixup", "cutmix", "copy_paste", "mosaic"])
def test_targets_of_mixed_crops_are_those_of_their_truth(
    discs: Path, tmp_path: Path, mix: str
) -> None:
    job = _job(discs, tmp_path, MAPS, augment={mix: 1.0}, size=[48, 64])
    run = TrainingRun(job, job_context(tmp_path))
    for batch in run.loader.epoch(0):
        centre, planes = batch.targets["centre"], batch.planes
        assert not centre[planes == 0].any()  # nothing where no crop has anything
        inside = planes == planes.amax()
        assert torch.isin(batch.targets["presence"], torch.tensor([0.0, 1.0])).all() or (
            mix == "mixup"
        )
        assert centre[inside].float().mean() > 20
    run.loader.close()


def test_one_forward_pass_serves_all_outputs(discs: Path, tmp_path: Path) -> None:
    job = _job(discs, tmp_path, EVERY)
    learner = Learner(job, "cpu", 4)
    calls = []
    learner.plain.encoder.register_forward_hook(lambda *_: calls.append(1))
    run = TrainingRun(job, job_context(tmp_path))
    learner.learn([next(run.loader.epoch(0))], 0)
    run.loader.close()
    assert len(calls) == 1


STEPS = [
    {"name": "watershed", "by": "centre", "values": [0.01]},
    {"name": "gate", "by": "presence"},
]


@pytest.mark.slow
def test_steps_look_at_outputs_in_every_way_to_decide(tmp_path: Path) -> None:
    """Stores, sums, and prediction of images: one decision."""
    _draw_objects(tmp_path / "d", count=8)
    test = tmp_path / "d" / "test"
    test.mkdir()
    for number in range(2):
        picture = Image.open(tmp_path / f"d/images/i{number}_{number}.png").resize((90, 70))
        picture.save(test / f"i{number}_{number}t.png")
    model = {"decoder": "linknet", **TINY, "auxiliary": MAPS}
    masks: dict[str, Any] = {}
    for accumulate in (False, True):
        stage = context(
            tmp_path / "d", tmp_path / f"w{accumulate}",
            data={"masks": "masks/{id}/*.png"}, metric="dsb",
            models={"a": model, "b": model}, train={"length": 2, "epochs": 1, "size": [48, 64]},
            ensemble={"postprocess": STEPS, "threshold": 0.5, "weights": "equal",
                      "accumulate": accumulate},
            submission={"rows": "instance", "columns": ["id", "rle"]},
        )  # fmt: skip
        if not accumulate:
            inferred = infer.run(stage)
            assert inferred.oof["a"].classes == ("disc", "disc of centre", "disc of presence")
            presence = inferred.test["a"].read(inferred.test["a"].ids[0])[2]
            assert presence.min() == presence.max()  # one number
        ensembled = ensemble.run(stage)
        kept = ChosenStep("watershed by centre", 0.5), ChosenStep("gate by presence", 0.01)
        recipe = replace(ensembled.recipe, steps=kept)
        read = (
            summed_maps.reader_of(summed_maps.run(stage))
            if accumulate
            else reader_of(infer.run(stage).test)
        )
        for each in ("i0_0t", "i1_1t"):
            decided = recipe.decide(read(each))
            assert decided.shape == (1, 70, 90)
            assert np.array_equal(masks.setdefault(each, decided), decided)
            seen = ImagePredictor(
                replace(read_finished_run(stage.workspace.run), recipe=recipe), "cpu"
            )(test / f"{each}.png")
            assert np.array_equal(seen, decided)
        assert submit.run(stage).is_file()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            [{"name": "gate", "by": "presence"}],
            "models.b.auxiliary: ensemble.postprocess has a step",
        ),
        ([{"name": "gate", "by": "centre"}], "gate: by must be one of presence"),
        ([{"name": "fill_holes", "by": "centre"}], "fill_holes: takes no by"),
    ],
)
def test_a_step_by_an_output_that_is_not_there(
    discs: Path, tmp_path: Path, steps: Any, said: str
) -> None:
    with_it = {"decoder": "linknet", **TINY, "auxiliary": [{"name": "presence"}]}
    without = {"decoder": "linknet", **TINY}
    blocks = raw_experiment(discs, models={"a": with_it, "b": without})
    blocks["ensemble"] = {"postprocess": steps}
    with pytest.raises(ConfigError, match=said):
        build_experiment(blocks, source="x", checks=name_checks())


def test_a_watershed_looks_at_what_it_is_told_to() -> None:
    decision = np.ones((1, 9, 20), bool)
    flat, centres = np.full((1, 9, 20), 0.9, np.float32), np.zeros((1, 9, 20), np.float32)
    centres[0, 4, 4] = centres[0, 4, 15] = 1
    cut = apply_steps(decision, flat, [ChosenStep("watershed by centre", 0.5)], {"centre": centres})
    assert connected_instances(cut).max() == 2
    edge = {"boundary": 1 - centres}
    assert np.array_equal(
        apply_steps(decision, flat, [ChosenStep("watershed by boundary", 0.5)], edge), cut
    )
    gone = apply_steps(
        decision, flat, [ChosenStep("gate by presence", 0.5)], {"presence": flat / 2}
    )
    assert not gone.any()
