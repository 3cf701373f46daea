"""Several seeds (`models.<name>.seeds`): one map a model, the mean of members that differ in it."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.catalog import Part
from pipeline.data.images import read_rgb
from pipeline.data.samples import SampleReader
from pipeline.errors import ArtefactError, ConfigError
from pipeline.inference.job import InferJob, Output, make_predictor
from pipeline.inference.sinks import StoreSink
from pipeline.manifests import fingerprint
from pipeline.maps import MapStore
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.planning.measure import Measured
from pipeline.prediction.finished_run import read_finished_run
from pipeline.stages import check, ensemble, export, infer, plan, scorecard, train, verify
from pipeline.stages.context import StageContext
from pipeline.stages.parts import report, summed_maps, tracked
from pipeline.stages.parts.forecast import Forecast
from pipeline.stages.parts.map_jobs import Predicting, weights_of
from pipeline.tracking.follower import Orders
from pipeline.training.disk_bytes import Footprint
from pipeline.workspace import MapPart
from tests.helpers.competitions import TINY, context, draw_discs, experiment, said
from tests.helpers.run_contents import contents

pytestmark = pytest.mark.slow

SHORT: dict[str, Any] = {"epochs": 1, "ema": None}
FOLDERS = ["fold0", "fold0-seed1", "fold1", "fold1-seed1", "all", "all-seed1"]


def staged(root: Path, workspace: Path, seeds: int = 2, asked: str = "", **blocks: Any) -> Any:
    settings: dict[str, Any] = {
        "train": SHORT,
        "models": {"a": {"decoder": "linknet", **TINY, "seeds": seeds}},
        "ensemble": {"threshold": 0.5},
        "folds": {"count": 2, "all": True},
        **blocks,
    }
    return context(root, workspace, asked=asked, **settings)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data, and a run of one seed."""
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("before")
    draw_discs(root)
    ensemble.run(staged(root, workspace, seeds=1))
    return root, workspace


@pytest.fixture(scope="module")
def finished(
    before: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The same run, with a second seed after its end."""
    root, workspace = before[0], tmp_path_factory.mktemp("finished")
    shutil.copytree(before[1], workspace, dirs_exist_ok=True)
    scorecard.run(staged(root, workspace, asked="all"))
    return root, workspace


def weights_in(workspace: Path) -> dict[str, bytes]:
    return contents(workspace, "a/*/*.safetensors")


@pytest.mark.slow
def test_only_the_new_members_are_trained_and_all_maps_are_renewed(
    before: tuple[Path, Path], finished: tuple[Path, Path]
) -> None:
    old, new = (contents(folder, "a/*/*") for _, folder in (before, finished))
    members = {path: each for path, each in old.items() if "/maps/" not in path}
    assert members and members.items() <= new.items()
    assert {path.split("/")[1] for path in weights_in(finished[1])} == set(FOLDERS)
    for part in ("oof", "test"):
        maps = [MapStore.open(folder / "runs/discs/a/maps" / part) for _, folder in
                (before, finished)]  # fmt: skip
        assert all((maps[0].read(each) != maps[1].read(each)).any() for each in maps[0].ids), part
    again = staged(*finished, asked="all")
    ensemble.run(again)
    assert "train: up to date" in said(again) and "infer: up to date" in said(again)


def test_set_back_nothing_is_removed_and_the_maps_are_the_old_ones(
    before: tuple[Path, Path], copied: tuple[Path, Path]
) -> None:
    members = weights_in(copied[1])
    stage = staged(*copied, seeds=1)
    ensemble.run(stage)
    assert "trained" not in said(stage) and weights_in(copied[1]) == members
    for pattern in ("a/maps/*/maps.npy", "ensemble.yaml", "oof_scores.csv"):
        assert contents(copied[1], pattern) == contents(before[1], pattern) != {}, pattern


def test_a_seed_is_the_one_of_the_settings_and_those_after_it(finished: tuple[Path, Path]) -> None:
    jobs = train.list_jobs(staged(*finished))
    other = train.list_jobs(staged(*finished, seeds=1, train={**SHORT, "seed": 1}))
    for fold in (0, 1, ALL_IMAGES):
        assert jobs[MemberId("a", fold, 1)].fingerprint == other[MemberId("a", fold)].fingerprint
    assert len({job.fingerprint for job in jobs.values()}) == len(jobs) == 6
    assert [job.name for job in jobs.values()] == [f"a/{folder}" for folder in FOLDERS]


@pytest.mark.parametrize(("part", "source"), [("oof", "train"), ("test", "test")])
def test_a_map_is_the_mean_of_what_each_seed_alone_predicts(
    finished: tuple[Path, Path], part: MapPart, source: Part
) -> None:
    stage = staged(*finished)
    members, inferred, table = train.run(stage), infer.run(stage), train.folds.run(stage)
    store = inferred.oof["a"] if part == "oof" else inferred.test["a"]
    for sample_id in (store.ids[0], store.ids[-1]):
        fold = table.set_index("id")["fold"].get(sample_id)
        used = (fold,) if part == "oof" else (0, 1, ALL_IMAGES)
        maps = [
            alone(stage, members[MemberId("a", int(each), seed)], source, sample_id, store)
            for each in used
            for seed in (0, 1)
        ]
        assert all((one != other).any() for one, other in pairwise(maps))
        difference = np.abs(store.read(sample_id) - np.mean(maps, axis=0)).max()
        assert difference <= 0.5 / 255 + 1e-6


def alone(
    stage: StageContext, member: train.Member, part: Part, sample_id: str, store: MapStore
) -> np.ndarray:
    """The map of one member, float32, as a run of one seed makes it."""
    output = Output(stage.experiment.models["a"], (weights_of(member),))
    sample = check.run(stage).samples(part, [sample_id])[0]
    reader = SampleReader(stage.experiment.data)
    job = InferJob((output,), StoreSink((store,)), 1, False, reader, (sample,))
    (found,) = make_predictor(job, output, "cpu").predict([read_rgb(sample.image)])
    return found


def test_three_seeds_of_one_fold_differ_and_come_again(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    stage = staged(finished[0], tmp_path, seeds=3, asked="train", folds={"count": 2})
    stage.fold = 0
    train.run(stage)
    assert "a/fold1" not in said(stage) and "next: make infer FOLD=0" in said(stage)
    found = weights_in(tmp_path)
    assert {path.split("/")[1] for path in found} == {"fold0", "fold0-seed1", "fold0-seed2"}
    assert len(set(found.values())) == 3
    of_two = weights_in(finished[1])
    assert {path: of_two.get(path, each) for path, each in found.items()} == found
    assert len(found.keys() & of_two.keys()) == 2
    for number in range(3):
        assert f"a, seed {number}" in said(stage)


def test_a_deleted_seed_is_trained_again_to_the_same_bytes(
    copied: tuple[Path, Path], finished: tuple[Path, Path]
) -> None:
    root, workspace = copied
    shutil.rmtree(workspace / "runs/discs/a/fold1-seed1")
    stage = staged(root, workspace)
    ensemble.run(stage)
    assert "1 member(s) trained (a/fold1-seed1)" in said(stage)
    assert weights_in(workspace) == weights_in(finished[1])
    for pattern in ("a/maps/*/maps.npy", "predictor.json"):
        assert contents(workspace, pattern) == contents(finished[1], pattern) != {}


def test_a_damaged_seed_is_found(copied: tuple[Path, Path]) -> None:
    weights = copied[1] / "runs/discs/a/all-seed1/last_plain.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    run, request = copied[1] / "runs/discs", export.ExportRequest("a", None, "torchscript", None)
    with pytest.raises(ArtefactError, match="a/all-seed1"):
        export.run(staged(*copied), run, request)
    with pytest.raises(ArtefactError, match="a/all-seed1"):
        verify.run(staged(*copied))


def test_the_sums_of_test_maps_hold_all_seeds(copied: tuple[Path, Path]) -> None:
    stage = staged(*copied, ensemble={"threshold": 0.5, "accumulate": True})
    sums, store = summed_maps.run(stage), MapStore.open(copied[1] / "runs/discs/a/maps/test")
    share = int(sums.read_sums(store.ids[0]).max()) / int(np.max(store.read_raw(store.ids[0])))
    for each in store.ids:
        assert np.array_equal(sums.read_sums(each), np.asarray(store.read_raw(each)) * share)


@pytest.mark.parametrize(
    ("fold", "seed", "name", "members"),
    [
        (0, None, "a-fold0", ["a/fold0", "a/fold0-seed1"]),
        (1, 1, "a-fold1-seed1", ["a/fold1-seed1"]),
        (None, 0, "a-seed0", ["a/fold0", "a/fold1", "a/all"]),
        ("all", 1, "a-all-seed1", ["a/all-seed1"]),
        (None, None, "a", [f"a/{folder}" for folder in FOLDERS]),
    ],
)
def test_prediction_and_export_know_every_seed(
    finished: tuple[Path, Path], fold: Any, seed: int | None, name: str, members: list[str]
) -> None:
    run = read_finished_run(finished[1] / "runs/discs")
    request = export.ExportRequest("a", fold, "state_dict", None, seed)
    assert [each.member for each in export._members(run, "a", request)] == members
    assert "-".join(["a", *export._choice(request)]) == name


def test_one_network_is_one_fold_and_one_seed(finished: tuple[Path, Path], tmp_path: Path) -> None:
    def exported(fold: int, seed: int | None) -> Path:
        request = export.ExportRequest("a", fold, "state_dict", tmp_path, seed)
        return export.run(staged(*finished), finished[1] / "runs/discs", request)

    assert exported(0, 1).name == "a-fold0-seed1.safetensors"
    with pytest.raises(ConfigError, match=r"these are 2; choose one with FOLD= .*SEED="):
        exported(0, None)
    for seed in (-1, 2):
        with pytest.raises(ConfigError, match=rf"SEED={seed}: a has the seeds 0, 1 \(models"):
            exported(0, seed)


def test_the_scorecard_names_the_number_of_seeds(finished: tuple[Path, Path]) -> None:
    table = scorecard.run(staged(*finished)).set_index("model")
    assert table["seeds"].to_dict() == {"a": "2", "a/all": "2", "ensemble": ""}
    assert "2 seeds" in (finished[1] / "runs/discs/report.html").read_text()


def test_the_report_draws_a_curve_for_each_seed(
    finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, draw = [], report.learning_curves
    monkeypatch.setattr(
        report, "learning_curves", lambda some, panels: drawn.append(some) or draw(some, panels)
    )
    report._curves(staged(*finished))
    assert [len(tables["a"]) for tables in drawn] == [4, 2, 2]


def test_trackers_follow_each_seed(
    finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources: list[Any] = []
    monkeypatch.setattr(tracked, "usable", lambda wanted, warn: {})
    monkeypatch.setattr(
        tracked, "following", lambda orders, warn: sources.extend(orders.sources()) or nullcontext()
    )
    stage = staged(*finished, asked="train", track=["tensorboard"])
    with tracked.tracked(stage):
        pass
    *members, card = sources
    assert [each.name for each in members] == [f"a/{folder}" for folder in FOLDERS]
    assert all(each.is_over() and len(each.rows([])) == 1 for each in members)
    assert card.name == "scorecard"


def test_orders_survive_the_way_to_another_process(finished: tuple[Path, Path]) -> None:
    orders = Orders("discs", str(finished[1]), {}, "dice", {"a": {}}, [MemberId("a", 1, 2)])
    (source, _) = Orders(**json.loads(json.dumps(asdict(orders)))).sources()
    assert source.name == "a/fold1-seed2"


def test_a_plan_counts_them(before: tuple[Path, Path], finished: tuple[Path, Path]) -> None:
    lines = plan.run(staged(before[0], before[1], seeds=3))
    (line,) = [each for each in lines if each.stage == "train"]
    assert "9 members" in line.what and line.seconds > 0
    assert 2.9 < line.size / line.present < 3.1
    (line,) = [each for each in plan.run(staged(*finished)) if each.stage == "train"]
    assert "6 members" in line.what and line.seconds == 0


def test_a_plan_counts_the_time_of_their_predictions(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    measured = {"a": Measured((1.0,), 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, Footprint(1, 1, 1))}

    def seconds(seeds: int, accumulate: bool) -> list[float]:
        blocks = {"ensemble": {"threshold": 0.5, "accumulate": accumulate}}
        stage = staged(finished[0], tmp_path, seeds=seeds, **blocks)
        jobs = train.list_jobs(stage)
        members = {
            each: train.Member(each, job.paths, job.fingerprint) for each, job in jobs.items()
        }
        lines = Forecast(stage, Predicting.of(stage, members), jobs, measured)
        found = [
            *lines.infer(),
            *([lines._sums(lines.work("test", ["t0_0"]))] if accumulate else []),
        ]
        return [line.seconds for line in found]

    for accumulate in (False, True):
        one, three = seconds(1, accumulate), seconds(3, accumulate)
        assert len(one) == 2 and three == pytest.approx([3 * each for each in one])


@pytest.mark.parametrize("seeds", [0, -1, 21, 1.5, "two", True, [1]])
def test_a_wrong_number_is_one_error_with_its_key(seeds: Any) -> None:
    models = {"a": {"decoder": "linknet", **TINY, "seeds": seeds}}
    with pytest.raises(ConfigError, match=r"(?s)^(?!.*\n.*\n).*models\.a\.seeds"):
        experiment(Path("data"), models=models)


def test_the_first_seed_is_the_one_that_there_was_before(before: tuple[Path, Path]) -> None:
    for seeds in (1, 2):
        for (model, fold, number), job in train.list_jobs(staged(*before, seeds=seeds)).items():
            assert job.model.train.seed == int(fingerprint(number, model, fold)[:8], 16)
            assert train.is_trained(job) == (number == 0)
            assert "seeds" not in job.settings
