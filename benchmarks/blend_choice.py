"""Private scores of blends under `ensemble.weights: search`, `nested` and `equal`.

    python -m benchmarks.blend_choice [--draws 100] [--metric dice] [--coverage FOLDER]
                                      [--recipes FOLDER --data FOLDER --halves 20]

Every draw is a competition of its own, without a trained network: 3 to 6 models, of like or of very
different quality, whose errors are correlated; 30 to 120 images in groups, 3 to 5 folds; and a
hidden test part of 200 images. A model's network differs from fold to fold (its quality and its
eagerness are drawn), and the test maps are the mean over folds, as in a real run. `--coverage`: the
competitions that `benchmarks.coverage` has left in that folder, with trained networks. `--recipes`:
what `benchmarks.recipes` has left there, a model a recipe; the blend is chosen on a half of the
groups and scored on the other one, `--halves` times a set.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline import open_run
from pipeline.config import DataConfig
from pipeline.data.catalog import list_samples
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.masks.one_class import decode_inside
from pipeline.data.samples import SampleReader
from pipeline.demo import private_masks
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.recipe import Recipe
from pipeline.ensemble.search.entries import Weights
from pipeline.ensemble.search.evidence import Evidence
from pipeline.ensemble.search.nested import Procedure
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.resampling import group_numbers
from pipeline.ensemble.search.weights import Blend
from pipeline.maps import MapStore
from pipeline.metrics import Metric, get_metric
from pipeline.prediction.finished_run import read_finished_run
from pipeline.stages import infer

SETTINGS: dict[str, Weights] = {
    "equal": lambda fold, rule: "equal",
    "search": lambda fold, rule: "search",
    "nested": "nested",
}
RECIPE_SETS = ("dsb2018", "magtile", "deeppcb", "camvid")
TEXT = {"id": str, "group": str}
KINDS = ("alike", "different", "one good", "one bad")
TEST_IMAGES = 200
SIZE = (32, 32)

Maps = Mapping[str, list[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Competition:
    """kind: for the table; maps and truths of all images, by id; test: those that are hidden."""

    kind: str
    oof: OofSource
    folds: NDArray[np.int64]
    groups: list[str]
    test: OofSource


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--metric", default="dice")
    parser.add_argument("--coverage", type=Path)
    parser.add_argument("--recipes", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the data sets of --recipes")
    parser.add_argument("--halves", type=int, default=20)
    arguments = parser.parse_args()
    competitions: list[Iterator[Competition]] = [map(drawn, range(arguments.draws))]
    if arguments.coverage:
        competitions.append(trained(arguments.coverage))
    if arguments.recipes:
        competitions.append(halves(arguments.recipes, arguments.data, arguments.halves))
    rows = [scored(each, arguments.metric) for each in chain.from_iterable(competitions)]
    report(rows)


def drawn(seed: int) -> Competition:
    """A competition of its own for each seed; kinds take turns."""
    random = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    models, count = int(random.integers(3, 7)), int(random.integers(3, 6))
    images, per_group = int(random.integers(30, 121)), int(random.integers(1, 5))
    quality = _quality(kind, models, random)
    noise = quality[:, None] * random.lognormal(0, 0.15, (models, count))
    eager = random.normal(0, 0.3, (models, count))
    groups = np.arange(images) // per_group
    fold_of_group = random.permutation(np.arange(groups.max() + 1) % count)
    folds = fold_of_group[groups]
    maps, truths = {}, {}
    for number in range(images + TEST_IMAGES):
        hidden = number >= images
        used = np.arange(count) if hidden else folds[[number]]
        name = f"{'test' if hidden else 'train'}{number}"
        maps[name], truths[name] = _image(random, noise[:, used], eager[:, used])
    names = tuple(f"model{model}" for model in range(models))
    parts = (tuple(n for n in maps if n.startswith(p)) for p in ("train", "test"))
    oof, test = (
        OofSource(names, ids, maps.__getitem__, truths.__getitem__, ARITHMETIC) for ids in parts
    )
    return Competition(kind, oof, folds, [str(group) for group in groups], test)


def _quality(kind: str, models: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The size of each model's own errors."""
    quality = np.full(models, 1.5)
    if kind == "different":
        quality *= random.lognormal(0, 0.6, models)
    if kind == "one good":
        quality[0] *= 0.4
    if kind == "one bad":
        quality[0] *= 4
    return quality


def _image(
    random: np.random.Generator, noise: NDArray[np.float64], eager: NDArray[np.float64]
) -> tuple[list[NDArray[np.uint8]], Truth]:
    """A map 1HW of each model, the mean over its networks (models, networks), and the truth.

    Errors: a part that all models share, one that a model's networks share, and the network's own.
    """
    models, networks = noise.shape
    field = _smooth(random) * 6 - random.uniform(-1.5, 1.5)
    shared, hard = _smooth(random) * 1.5, random.lognormal(0, 0.5)
    maps = []
    for model in range(models):
        own = _smooth(random)
        sums = np.zeros(SIZE)
        for network in range(networks):
            error = 0.8 * own + 0.6 * _smooth(random)
            logit = field + hard * (shared + noise[model, network] * error)
            sums += 1 / (1 + np.exp(-(logit + eager[model, network])))
        maps.append(np.rint(sums / networks * 255).astype(np.uint8)[None])
    return maps, Truth((field > 0).astype(np.uint8)[None])


def _smooth(random: np.random.Generator) -> NDArray[np.float64]:
    """A smooth field with a variance of about 1."""
    return np.float64(10.6) * cv2.GaussianBlur(random.normal(size=SIZE), (0, 0), 3)


def trained(folder: Path) -> Iterator[Competition]:
    """The drawn competitions of `benchmarks.coverage`, with the private masks of each.

    Maps that are not there are predicted again; nothing is trained.
    """
    for place in sorted(
        path.parent for path in folder.resolve().glob("*/runs/coverage/predictor.json")
    ):
        with chdir(place.parents[1]):
            inferred = infer.run(open_run("coverage.yaml", jobs=1, quiet=True).context())
        seed = place.parents[1]
        data = read_finished_run(place).experiment.data
        table = pd.read_csv(seed / "folds/coverage.csv", dtype=TEXT)
        oof = _stored(
            data.model_copy(update={"root": seed / data.root}), inferred.oof, tuple(table["id"])
        )
        hidden = private_masks(seed / data.root)

        def private(id: str, hidden: Mapping[str, Path] = hidden) -> Truth:
            inside = decode_inside(read_bytes(hidden[id]), hidden[id])
            return Truth(inside[None].view(np.uint8))

        test = OofSource(oof.names, tuple(hidden), reader_of(inferred.test), private)
        yield Competition("trained", oof, table["fold"].to_numpy(), list(table["group"]), test)


def halves(folder: Path, data_folder: Path, count: int) -> Iterator[Competition]:
    """Of each set some halves of its groups, to choose on; the others stand for the test part."""
    for name in RECIPE_SETS:
        runs = [
            path.parents[3]
            for path in sorted(folder.glob(f"{name}-*/runs/*/*/maps/oof/header.json"))
        ]
        stores = {run.parents[1].name: MapStore.open(run / "unet/maps/oof") for run in runs}
        if len(stores) < 2:
            continue
        table = pd.read_csv(runs[0].parents[1] / "folds/recipe.csv", dtype=TEXT)
        data = read_finished_run(runs[0]).experiment.data
        source = _stored(
            data.model_copy(update={"root": data_folder / name}), stores, tuple(table["id"])
        )
        for seed in range(count):
            names = np.random.default_rng(seed).permutation(table["group"].unique())
            kept = table["group"].isin(names[: len(names) // 2])
            oof, test = (
                replace(source, ids=tuple(table.loc[rows, "id"])) for rows in (kept, ~kept)
            )
            own = table[kept]
            yield Competition(name, oof, own["fold"].to_numpy(), list(own["group"]), test)


def _stored(data: DataConfig, stores: Mapping[str, MapStore], ids: tuple[str, ...]) -> OofSource:
    samples, reader = list_samples(data).by_id["train"], SampleReader(data)

    def truth(id: str) -> Truth:
        return reader.truth(samples[id], reader.picture_size(samples[id]))

    return OofSource(tuple(stores), ids, reader_of(stores), truth, multiclass=data.multiclass)


def scored(competition: Competition, metric_name: str) -> dict[str, Any]:
    """Nested and private score of the blend under each setting, and which rule won."""
    source = competition.oof
    metric = get_metric("mean_iou" if source.multiclass else metric_name)
    row: dict[str, Any] = {"kind": competition.kind}
    with tempfile.TemporaryDirectory() as folder:
        evidence = Evidence(
            gather(source, metric, Path(folder)),
            competition.folds,
            group_numbers(competition.groups),
        )
        for setting, weights in SETTINGS.items():
            outcome = Procedure(evidence, metric).run(weights)
            assert outcome.nested is not None
            row[f"{setting} nested"] = outcome.nested.score
            row[setting] = _private(competition.test, outcome.whole.blend, metric)
        row["rule"] = outcome.whole.weight_rule
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def _private(test: OofSource, blend: Blend, metric: Metric) -> float:
    recipe = Recipe(blend.weights, blend.thresholds, test.multiclass, test.mean)
    measured = [metric.measure(recipe.decide(test.maps(id)), test.truth(id)) for id in test.ids]
    return float(metric.aggregate(np.stack(measured)))


def report(rows: list[dict[str, Any]]) -> None:
    """The table of RESULTS.md: means, and differences with two standard errors."""
    print(
        "| competitions | number | equal | search | nested | nested − search | nested − equal | "
        "nested score − private: search | nested | what won |"
    )
    print("|" + "---|" * 10)
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    for kind in [*kinds, *(["all"] if len(kinds) > 1 else [])]:
        some = [row for row in rows if kind in (row["kind"], "all")]
        won = Counter(row["rule"] for row in some)
        cells = [
            kind,
            str(len(some)),
            *(f"{mean(row[setting] for row in some):.5f}" for setting in SETTINGS),
            *(_above(some, "nested", other) for other in ("search", "equal")),
            *(_above(some, f"{setting} nested", setting) for setting in ("search", "nested")),
            ", ".join(f"{rule} {count}" for rule, count in won.most_common()),
        ]
        print("| " + " | ".join(cells) + " |")


def _above(rows: list[dict[str, Any]], first: str, second: str) -> str:
    values = [row[first] - row[second] for row in rows]
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{mean(values):+.5f} ± {2 * error:.5f}"


if __name__ == "__main__":
    main()
