"""Mixed samples: partners of the same set, truth that goes with its pixels, seeds that decide."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from pipeline.config import AugmentConfig, InputConfig, TrainConfig
from pipeline.data.catalog import Sample, list_samples
from pipeline.data.ground_truth import CERTAIN
from pipeline.data.samples import SampleReader
from pipeline.training.augmentation import Crop
from pipeline.training.dataset import TrainingSet
from pipeline.training.drawn_colour import UNCHANGED
from pipeline.training.loader import EpochLoader
from pipeline.training.mixing import Mixer, copy_paste, cutmix, mixup, mosaic
from pipeline.training.sampling import ANY_CLASS, Key
from tests.helpers.competitions import draw_discs, experiment

SIZE = (40, 56)
KINDS = ("mixup", "cutmix", "copy_paste", "mosaic")


def _crop(value: int, plane: np.ndarray | None = None) -> Crop:
    """An image of one value, and planes that say where it is from."""
    filled = np.full((1, *SIZE), value > 100, np.uint8) if plane is None else plane[None]
    image = np.full((*SIZE, 3), value, np.uint8)
    return Crop(image, filled, np.ones(SIZE, np.uint8), np.stack([UNCHANGED]))


def test_truth_and_validity_come_from_where_the_pixels_come_from() -> None:
    one, other = _crop(50), _crop(200)
    other = other._replace(valid=np.zeros(SIZE, np.uint8))
    shares = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        mixed = cutmix(one, other, random)
        taken = mixed.image[..., 0] == 200
        assert (mixed.planes[0] == taken).all() and (mixed.valid == ~taken).all()
        rows, columns = np.nonzero(taken)
        box = (
            taken[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            if rows.size
            else taken
        )
        assert box.all() or not taken.any(), "one rectangle"
        shares.append(taken.mean())
        four = mosaic(one, [other, _crop(201), _crop(202)], random)
        assert {50, 200, 201, 202} == set(np.unique(four.image))
        assert (four.planes[0] == (four.image[..., 0] > 100)).all()
    assert 0.25 < np.mean(shares) < 0.5 and max(shares) > 0.8


def test_mixup_is_the_mean_of_pixels_and_of_probabilities() -> None:
    one, other = _crop(40), _crop(240)
    other = other._replace(planes=other.planes * np.uint8(CERTAIN))
    other.valid[:7] = 0
    for seed in range(50):
        mixed = mixup(one, other, np.random.default_rng(seed))
        share = (mixed.image.astype(float) - 40) / 200
        assert np.abs(mixed.planes[0] / CERTAIN - share[..., 0]).max() < 0.006
        assert not mixed.valid[:7].any() and mixed.valid[7:].all()


def test_whole_objects_are_pasted_and_backgrounds_are_not() -> None:
    plane = np.zeros(SIZE, np.uint8)
    plane[2:8, 2:8] = plane[12:20, 30:50] = 1
    counts = set()
    for seed in range(60):
        mixed = copy_paste(_crop(50), _crop(200, plane), np.random.default_rng(seed))
        pasted = mixed.image[..., 0] == 200
        assert (mixed.planes[0] == pasted).all()
        objects = (pasted[2:8, 2:8].mean(), pasted[12:20, 30:50].mean())
        assert set(objects) <= {0, 1} and pasted.sum() == objects[0] * 36 + objects[1] * 160
        counts.add(objects)
    assert counts == {(0, 1), (1, 0), (1, 1)}
    background = np.ones(SIZE, np.uint8)
    same = copy_paste(_crop(50), _crop(200, background), np.random.default_rng(0))
    assert (same.image == 50).all()


def test_void_objects_are_not_pasted() -> None:
    plane = np.zeros(SIZE, np.uint8)
    plane[2:8, 2:8] = 1
    void = _crop(200, plane)._replace(valid=1 - plane)
    assert (copy_paste(_crop(50), void, np.random.default_rng(0)).image == 50).all()


@pytest.fixture
def discs(tmp_path: Path) -> tuple[tuple[Sample, ...], SampleReader]:
    draw_discs(tmp_path)
    data = experiment(tmp_path).data
    return list_samples(data).train, SampleReader(data)


def _set(
    discs: tuple[tuple[Sample, ...], SampleReader], seed: int = 0, **augment: Any
) -> TrainingSet:
    settings = TrainConfig(size=(48, 64), seed=seed, augment=augment)
    return TrainingSet(discs[0], discs[1], settings, InputConfig())


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_alone_decides(discs: tuple[tuple[Sample, ...], SampleReader], kind: str) -> None:
    first, second, plain = _set(discs, **{kind: 1}), _set(discs, **{kind: 1}), _set(discs)
    keys = [Key(1, position, position % 3) for position in range(12)]
    there = [first[key] for key in keys]
    back = [second[key] for key in reversed(keys)][::-1]
    for one, other in zip(there, back, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))
    differ = [
        not torch.equal(a.images, plain[key].images) for a, key in zip(there, keys, strict=True)
    ]
    assert sum(differ) > 6


def test_what_is_not_drawn_is_what_it_was(
    discs: tuple[tuple[Sample, ...], SampleReader],
) -> None:
    rarely, plain = _set(discs, cutmix=1e-9), _set(discs)
    hard, soft = plain[Key(0, 0, 0)], _set(discs, mixup=1e-9)[Key(0, 0, 0)]
    rare = rarely[Key(0, 0, 0)]
    assert all(torch.equal(a, b) for a, b in zip(rare[:4], hard[:4], strict=True))
    assert torch.equal(soft.planes, hard.planes * CERTAIN) and hard.planes.max() == 1


def test_partners_are_other_samples_of_the_set_alone(
    discs: tuple[tuple[Sample, ...], SampleReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, read = _set(discs, cutmix=1), []
    decoded = data.decoded
    monkeypatch.setattr(data, "decoded", lambda sample: read.append(sample.id) or decoded(sample))
    for position in range(60):
        data[Key(0, position, position % len(data))]
    pairs = list(zip(read[::2], read[1::2], strict=True))
    assert all(one != other for one, other in pairs)
    assert {other for _, other in pairs} == {each.id for each in discs[0]}


def test_a_set_of_one_sample_is_mixed_with_itself(
    discs: tuple[tuple[Sample, ...], SampleReader],
) -> None:
    alone = discs[0][:1], discs[1]
    assert _set(alone, mixup=1)[Key(0, 0, 0)].images.shape == (3, 48, 64)


def test_no_kind_of_mixing_depends_on_another(
    discs: tuple[tuple[Sample, ...], SampleReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.training import mixing

    seen: list[set[str]] = []
    for kind in ("mixup", "cutmix"):
        monkeypatch.setattr(mixing, kind, lambda crop, *_, kind=kind: seen[-1].add(kind) or crop)
    mixer = Mixer(AugmentConfig(mixup=0.5, cutmix=0.5), discs[1].data)
    for seed in range(1000):
        seen.append(set())
        mixer(_crop(50), lambda _: _crop(200), np.random.default_rng(seed))
    table = [
        [sum(("mixup" in each) == a and ("cutmix" in each) == b for each in seen) for b in (0, 1)]
        for a in (0, 1)
    ]
    assert chi2_contingency(table).pvalue > 1e-4, table
    assert 400 < sum(map(len, seen)) / 2 < 600


def test_an_epoch_entered_in_the_middle_has_the_samples_it_would_have_had(
    discs: tuple[tuple[Sample, ...], SampleReader],
) -> None:
    steps = ["ElasticTransform", {"GaussNoise": {}, "p": 0.7}]
    data = _set(discs, preset="heavy", steps=steps, **dict.fromkeys(KINDS, 0.5))
    settings = TrainConfig(batch=2, steps=5)
    loaders = [EpochLoader(each, settings, 0, False, str) for each in (data, _copied(data))]
    whole, rest = [*loaders[0].epoch(3)], [*loaders[1].epoch(3, start=2)]
    for one, other in zip(whole[2:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


def _copied(data: TrainingSet) -> TrainingSet:
    """The set as a loader process gets it."""
    copied: TrainingSet = pickle.loads(pickle.dumps(data))
    return copied


def test_partners_have_something_to_paste_and_else_the_focus_of_their_sample(
    discs: tuple[tuple[Sample, ...], SampleReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, focus in (("copy_paste", ANY_CLASS), ("cutmix", 0), ("mixup", 0), ("mosaic", 0)):
        data, keys = _set(discs, **{kind: 1}), []
        crop = data._crop
        monkeypatch.setattr(
            data,
            "_crop",
            lambda key, *turn, keys=keys, crop=crop: keys.append(key) or crop(key, *turn),
        )
        data[Key(2, 5, 1, 0)]
        assert {key.focus for key in keys[1:]} == {focus}
        assert {key[:2] for key in keys} == {(2, 5)}
