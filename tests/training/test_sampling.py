"""Which images are seen how often, and where crops lie: counted, against what was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import chisquare

from pipeline.config import AugmentConfig, TrainConfig
from pipeline.data.decoded_file import Decoded
from pipeline.data.ground_truth import CERTAIN
from pipeline.errors import ConfigError, DataError, InterruptedRunError
from pipeline.member_id import MemberId
from pipeline.stages import train
from pipeline.stages.parts.sample_facts import hardness
from pipeline.training.augmentation import Augmenter
from pipeline.training.crop_view import draw_view
from pipeline.training.foreground import CANDIDATES, Foreground
from pipeline.training.sampling import ANY_CLASS, ANYWHERE, Key, SampleFacts, epoch_batches
from pipeline.training.staged import train_member
from tests.helpers.competitions import context, draw_discs
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes, train_job

STRONG = AugmentConfig(
    flips=("horizontal", "vertical", "transpose"), affine=1.0, rotate=180, scale=0.9, shift=0.3
)


def _settings(**training: Any) -> TrainConfig:
    return TrainConfig.model_validate({"batch": 4, "epochs": 10, "seed": 3, **training})


def _keys(facts: SampleFacts, settings: TrainConfig, epochs: int = 1) -> list[Key]:
    drawn = (epoch_batches(facts, settings, epoch, 0) for epoch in range(epochs))
    return [key for epoch in drawn for batch in epoch for key in batch]


def test_without_wishes_the_order_is_that_of_earlier_versions() -> None:
    """Members that were stopped before an upgrade go on with the same samples."""
    keys = _keys(SampleFacts(5), _settings(steps=2))
    random = np.random.default_rng([3, 0, 1])
    expected = [*random.permutation(5), *random.permutation(5)][:8]
    assert keys == [Key(0, place, image, ANYWHERE) for place, image in enumerate(expected)]


@pytest.mark.parametrize("share", [0.0, 0.33, 1.0])
def test_as_many_crops_as_asked_for_are_placed(share: float) -> None:
    keys = _keys(SampleFacts(50), _settings(steps=1000, sample={"foreground": share}))
    assert {key.focus for key in keys} <= {ANY_CLASS, ANYWHERE}
    placed = sum(key.focus == ANY_CLASS for key in keys) / len(keys)
    assert placed == pytest.approx(share, abs=0.03 if 0 < share < 1 else 0)


def test_balanced_classes_are_drawn_evenly_and_their_images_have_them() -> None:
    random = np.random.default_rng(0)
    present = random.random((200, 3)) < (0.9, 0.1, 0.02)
    present[0] = True
    facts = SampleFacts(200, None, tuple(map(tuple, present.tolist())))
    sample = {"foreground": 0.5, "classes": "balanced"}
    keys = _keys(facts, _settings(steps=1500, sample=sample))
    drawn = Counter(key.focus for key in keys)
    assert chisquare([drawn[number] for number in range(3)]).pvalue > 0.001
    assert all(present[key.image, key.focus] for key in keys if key.focus >= 0)
    rare = Counter(key.image for key in keys if key.focus == 2)
    assert max(rare.values()) - min(rare.values()) <= 1 and len(rare) == present[:, 2].sum()
    others = Counter(key.image for key in keys if key.focus < 0)
    assert len(others) == 200, "the other crops are of all images"


def test_weights_say_how_often_an_image_is_seen_within_one() -> None:
    weights = np.array([0, 1, 2, 0.5, 0, 4, 1.5])
    keys = _keys(SampleFacts(7, tuple(weights)), _settings(steps=50))
    seen = Counter(key.image for key in keys)
    expected = weights / weights.sum() * 200
    for image in range(7):
        assert abs(seen[image] - expected[image]) < 1
    order = [key.image for key in keys]
    assert order != sorted(order) and order != [
        key.image for key in _keys(SampleFacts(7, tuple(weights)), _settings(steps=50, seed=4))
    ]


def test_the_share_of_images_with_foreground_slides_over_the_training() -> None:
    facts = SampleFacts(100, None, tuple((number < 5,) for number in range(100)))
    settings = _settings(steps=200, sample={"positives": [0.8, 0.4]})
    keys = _keys(facts, settings, epochs=10)
    filled = np.array([key.image < 5 for key in keys]).reshape(10, -1).mean(axis=1)
    middles = 0.8 - 0.4 * (np.arange(10) + 0.5) / 10
    assert np.abs(filled - middles).max() < 0.05
    assert np.abs(filled - filled.mean()).max() > 0.15, "it does slide"


def test_images_without_foreground_are_never_placed() -> None:
    facts = SampleFacts(10, None, tuple((number < 5,) for number in range(10)))
    sample = {"positives": [0.5, 0.5], "foreground": 1.0}
    keys = _keys(facts, _settings(steps=100, sample=sample))
    assert {key.focus for key in keys if key.image >= 5} == {ANYWHERE}
    assert {key.focus for key in keys if key.image < 5} == {ANY_CLASS}


WISHES: list[dict[str, Any]] = [
    {},
    {"foreground": 0.5},
    {"foreground": 0.5, "classes": "balanced", "positives": [0.8, 0.4]},
]


@pytest.mark.parametrize("sample", WISHES)
@pytest.mark.parametrize("length", [{"steps": 9}, {"length": 93}])
def test_an_epoch_entered_in_the_middle_goes_on_as_it_would_have(
    sample: dict[str, Any], length: dict[str, int]
) -> None:
    facts = SampleFacts(10, tuple(range(1, 11)), tuple((n < 4, 2 < n < 6) for n in range(10)))
    settings = _settings(sample=sample, accumulate=2, **length)
    whole = list(epoch_batches(facts, settings, 3, 0))
    assert list(epoch_batches(facts, settings, 3, 4)) == whole[8:]
    assert list(epoch_batches(facts, settings, 4, 0)) != whole


def test_a_length_in_steps_sees_all_images_as_evenly_as_it_can() -> None:
    settings = _settings(length=997, epochs=7)
    keys = _keys(SampleFacts(30), settings, epochs=7)
    assert len(keys) == 997 * 4
    seen = Counter(key.image for key in keys)
    assert max(seen.values()) - min(seen.values()) <= 1


@pytest.mark.parametrize("shape", [(60, 80), (20, 17), (32, 200), (32, 32)])
def test_a_placed_crop_contains_its_pixel_whatever_moves_it(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for seed in range(200):
        row, column = (int(random.integers(side)) for side in shape)
        plane = np.zeros(shape, np.uint8)
        plane[row, column] = 1
        view = draw_view(shape, (32, 40), STRONG, np.random.default_rng(seed), (row, column))
        assert view.plane(plane).any(), (seed, row, column)


def test_a_placed_crop_that_nothing_moves_stays_inside_and_is_anywhere_around() -> None:
    still = AugmentConfig(flips=("transpose", "horizontal"), affine=0, colour=0)
    corners = set()
    for seed in range(300):
        view = draw_view((64, 64), (16, 16), still, np.random.default_rng(seed), (5, 40))
        ends = view.matrix @ np.array([[0, 15], [0, 15], [1, 1]])
        low, high = ends[:2].min(axis=1), ends[:2].max(axis=1)
        assert (low >= 0).all() and (high <= 63).all() and (low == low.round()).all()
        corners.add((int(low[0]), int(low[1])))
    assert {x for x, _ in corners} == set(range(25, 41))
    assert {y for _, y in corners} == set(range(6))


def _sparse(side: int, pixels: list[tuple[int, int, int]], classes: int = 3) -> Decoded:
    planes = np.zeros((classes, side, side), np.uint8)
    for number, row, column in pixels:
        planes[number, row, column] = 1
    return Decoded(np.zeros((side, side, 3), np.uint8), planes, None)


def test_a_few_pixels_of_a_large_mask_are_in_every_crop_and_searched_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded = _sparse(2000, [(0, 3, 1990), (2, 1999, 0), (2, 1000, 1000)])
    foreground, searched = Foreground(0, soft=False), []
    real = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda plane: searched.append(1) or real(plane))
    augment = Augmenter((64, 64), STRONG)
    found: Counter[int] = Counter()
    for seed in range(120):
        pixel = foreground.pixel(0, decoded, ANY_CLASS, np.random.default_rng(seed))
        assert pixel is not None
        planes = augment(*decoded[:3], [seed], pixel).planes
        assert planes.any()
        found[int(decoded.planes[:, pixel[0], pixel[1]].argmax())] += 1
    assert len(searched) == 3, "once a class"
    assert set(found) == {0, 2} and chisquare(list(found.values())).pvalue > 0.001


def test_candidates_are_the_same_in_every_process_and_spread_over_the_mask() -> None:
    decoded = Decoded(np.zeros((300, 300, 3), np.uint8), np.ones((1, 300, 300), np.uint8), None)
    drawn = []
    for before in (0, 5):
        foreground = Foreground(7, soft=False)
        for index in range(before):
            foreground.pixel(index, decoded, 0, np.random.default_rng(0))
        drawn.append(
            [foreground.pixel(9, decoded, 0, np.random.default_rng(s)) for s in range(2000)]
        )
    assert drawn[0] == drawn[1]
    places = np.array(drawn[0])
    assert len({tuple(each) for each in places.tolist()}) > 0.9 * CANDIDATES
    assert np.abs(places.mean(axis=0) - 149.5).max() < 20


def test_void_pixels_and_doubtful_ones_are_no_foreground() -> None:
    planes = np.full((1, 8, 8), CERTAIN // 2 - 1, np.uint8)
    planes[0, 2, 3] = planes[0, 5, 5] = CERTAIN
    valid = np.ones((8, 8), bool)
    valid[5, 5] = False
    decoded = Decoded(np.zeros((8, 8, 3), np.uint8), planes, valid)
    for seed in range(20):
        random = np.random.default_rng(seed)
        assert Foreground(0, soft=True).pixel(0, decoded, 0, random) == (2, 3)
    empty = _sparse(8, [], 1)
    assert Foreground(0, soft=False).pixel(0, empty, 0, np.random.default_rng(0)) is None


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


def _weigh(folder: Path, rows: dict[str, str]) -> None:
    (folder / "w.csv").write_text("id,weight\n" + "".join(f"{k},{v}\n" for k, v in rows.items()))


def _ids(discs: Path) -> list[str]:
    return sorted(path.stem for path in (discs / "images").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stop_changes_no_byte(discs: Path, tmp_path: Path, workers: int) -> None:
    _weigh(discs, {each: str(1 + n % 3) for n, each in enumerate(_ids(discs))})
    sample = {"foreground": 0.5, "classes": "balanced", "weights": {"csv": "w.csv"}}
    whole = train_job(discs, tmp_path / "whole", sample=sample)
    train_member(whole, job_context(tmp_path))
    broken = train_job(discs, tmp_path / "broken", sample=sample, workers=workers)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(3)))
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


def test_other_weights_train_again_and_no_weights_are_as_before(
    discs: Path, tmp_path: Path
) -> None:
    wish = {"weights": {"csv": "w.csv"}}
    fingerprints = set()
    for value in ("1", "2"):
        _weigh(discs, {each: value if each == _ids(discs)[0] else "1" for each in _ids(discs)})
        jobs = train.list_jobs(context(discs, tmp_path, train={"sample": wish}))
        fingerprints |= {(fold, jobs[MemberId("a", fold)].fingerprint) for fold in range(2)}
    assert len(fingerprints) == 3, "the weight of a held-out image changes nothing"
    plain = train_job(discs, tmp_path)
    assert plain.facts is None and "image weights" not in plain.made_from


def test_rare_groups_are_seen_as_often_as_common_ones(discs: Path, tmp_path: Path) -> None:
    wish = {"weights": {"inverse_frequency": "stratum"}}
    stage = context(discs, tmp_path, train={"sample": wish})
    for (_, fold, _), job in train.list_jobs(stage).items():
        assert job.facts is not None and job.facts.weights is not None
        table = train.folds.run(stage).set_index("id")
        strata = [table.loc[sample.id, "stratum"] for sample in job.train]
        sums = Counter[str]()
        for stratum, weight in zip(strata, job.facts.weights, strict=True):
            sums[stratum] += weight
        assert all(total == pytest.approx(1) for total in sums.values()) and len(sums) > 1, fold


def _scored(path: Path, scores: dict[str, str]) -> dict[str, Any]:
    path.write_text("id,fold,score\n" + "".join(f"{a},0,{b}\n" for a, b in scores.items()))
    return {"weights": {"hardness": str(path)}}


def test_hard_images_are_seen_more_often(discs: Path, tmp_path: Path) -> None:
    scores = {each: f"{0.9 - n / 100}" for n, each in enumerate(_ids(discs))}
    wish = _scored(tmp_path / "first.csv", scores)
    jobs = train.list_jobs(context(discs, tmp_path, train={"sample": wish}))
    for job in jobs.values():
        assert job.facts is not None and job.facts.weights is not None
        hardest = len(scores) - 1
        places = [list(scores).index(sample.id) for sample in job.train]
        assert job.facts.weights == pytest.approx([0.1 + place / hardest for place in places])
        keys = _keys(job.facts, job.model.train, 2000)
        seen = Counter(key.image for key in keys)
        rate = len(keys) / sum(job.facts.weights)
        for image, weight in enumerate(job.facts.weights):
            assert seen[image] == pytest.approx(rate * weight, rel=0.15, abs=40)


def test_scores_that_are_all_equal_weigh_equally() -> None:
    assert hardness({"a": 0.5, "b": 0.5}) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({"nobody": "1"}, r"line 18: there is no image 'nobody'; its score"),
        ({"i0_0": "nan"}, r"line 2: score is 'nan', which is no number"),
        ({"i0_0": None}, r"has no score for i0_0$"),
    ],
)
def test_a_wrong_table_of_scores_is_named(
    discs: Path, tmp_path: Path, scores: dict[str, str | None], says: str
) -> None:
    rows: dict[str, str | None] = {**dict.fromkeys(_ids(discs), "0.5"), **scores}
    kept = {each: value for each, value in rows.items() if value is not None}
    wish = _scored(tmp_path / "first.csv", kept)
    key = r"^models\.a: train\.sample\.weights\.hardness: "
    with pytest.raises(DataError, match=f"{key}.*{says}"):
        train.list_jobs(context(discs, tmp_path, train={"sample": wish}))


def test_the_scores_of_the_run_itself_are_refused(discs: Path, tmp_path: Path) -> None:
    own = context(discs, tmp_path).workspace.oof_scores
    own.parent.mkdir(parents=True, exist_ok=True)
    wish = _scored(own, dict.fromkeys(_ids(discs), "0.5"))
    with pytest.raises(ConfigError, match=r"models\.a: .*hardness: .* is this run's own"):
        train.list_jobs(context(discs, tmp_path, train={"sample": wish}))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"nobody": "1"}, r"w\.csv, line 18: there is no image 'nobody'"),
        ({"i0_0": "-1"}, r"line 2: weight is '-1', and a weight is a number from 0"),
        ({"i0_0": "nan"}, r"line 2: weight is 'nan'"),
        ({"i0_0": "inf"}, r"line 2: weight is 'inf'"),
        ({"i0_0": "much"}, r"line 2: weight is 'much'"),
        ({"i0_0": None}, r"no weight for i0_0; write 1"),
        (dict.fromkeys(("i0_0", "zero all"), "0"), r"have weight 0"),
    ],
)
def test_wrong_weights_are_named(
    discs: Path, tmp_path: Path, changed: dict[str, str | None], says: str
) -> None:
    rows: dict[str, str | None] = dict.fromkeys(_ids(discs), "1")
    if "zero all" in changed:
        rows, changed = dict.fromkeys(rows, "0"), {}
    rows |= changed
    _weigh(discs, {each: value for each, value in rows.items() if value is not None})
    with pytest.raises(DataError, match=says):
        train.list_jobs(context(discs, tmp_path, train={"sample": {"weights": {"csv": "w.csv"}}}))


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"weights": {"csv": "none.csv"}}, r"none\.csv"),
        ({"positives": [0.8, 0.4]}, r"positives: \[0\.8, 0\.4\] asks for images without foregr"),
    ],
)
def test_what_the_data_does_not_have_is_named(
    discs: Path, tmp_path: Path, sample: dict[str, Any], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        train.list_jobs(context(discs, tmp_path, train={"sample": sample}))


def test_a_class_without_images_cannot_be_balanced(tmp_path: Path) -> None:
    """The class is in one group alone, so the fold that holds it out has none to learn from."""
    discs = tmp_path / "discs"
    draw_discs(discs, count=16)
    for path in (discs / "masks").glob("i0_*"):
        Image.fromarray(np.asarray(Image.open(path)) * np.uint8(2)).save(path)
    data = {"classes": {"disc": 1, "ghost": 2}}
    sample = {"foreground": 0.3, "classes": "balanced"}
    stage = context(
        discs,
        tmp_path,
        data=data,
        train={"sample": sample},
        submission={"rows": "class", "key": "{id}_{class}"},
    )
    says = r"models\.a: .*balanced asks for crops with ghost, and no training image of fold"
    with pytest.raises(DataError, match=says):
        train.list_jobs(stage)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"foreground": 1.5}, "foreground: 1.5: should be less"),
        ({"classes": "balanced"}, "set foreground"),
        ({"classes": "even"}, "classes: 'even': should be"),
        ({"positives": 0.5}, "positives: 0.5: should be a list"),
        ({"positives": [0.8, -1]}, "should be greater"),
        ({"weights": {"csv": "a.csv", "inverse_frequency": "group"}}, "csv or inverse_frequency"),
        ({"weights": {"csv": "a.csv", "hardness": "b.csv"}}, "csv or hardness, not both"),
        ({"weights": {"inverse_frequency": "fold"}}, "group"),
        ({"weights": {"csv": "a.csv", "id": "x", "weight": "x"}}, "'x' is used for two things"),
    ],
)
def test_mistakes_are_named(discs: Path, tmp_path: Path, sample: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        context(discs, tmp_path, train={"sample": sample})
